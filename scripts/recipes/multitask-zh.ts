/** The Chinese counterpart of multitask-en: the same encoder, a vocabulary of its own, two heads. */
import { chnSentiCorp } from "../data/sets/chnsenticorp.ts";
import { thucNews } from "../data/sets/thucnews.ts";
import { zhReviews } from "../data/sets/zh-reviews.ts";
import { multitaskEn } from "./multitask-en.ts";
import type { ClassificationRecipe } from "./recipe.ts";

const { pretraining: _english, ...shared } = multitaskEn;

export const multitaskZh: ClassificationRecipe = {
  ...shared,
  id: "multitask-zh",
  config: {
    ...shared.config,
    vocab_size: 12_000,
    source_languages: ["zh"],
    source_scripts: ["Han"],
    card: { description: "Sentiment and news topic of Chinese texts." },
  },
  heads: [
    { name: "sentiment", sets: [chnSentiCorp, zhReviews] },
    { name: "topic", sets: [thucNews] },
  ],
  epochTexts: 80_000,
};

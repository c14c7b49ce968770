/** The Chinese counterpart of multitask-en: an encoder of its width, a vocabulary of its own, two heads. */
import { chnSentiCorp } from "../data/sets/chnsenticorp.ts";
import { thucNews } from "../data/sets/thucnews.ts";
import { zhReviews } from "../data/sets/zh-reviews.ts";
import { multitaskEn } from "./multitask-en.ts";
import type { ClassificationRecipe } from "./recipe.ts";

export const multitaskZh: ClassificationRecipe = {
  ...multitaskEn,
  id: "multitask-zh",
  config: {
    ...(multitaskEn.config as Extract<(typeof multitaskEn)["config"], { model_type: "edge-slm-encoder" }>),
    n_enc_layers: 4,
    n_grams: undefined,
    vocab_size: 12_000,
    source_languages: ["zh"],
    source_scripts: ["Han"],
    card: { description: "Sentiment and news topic of Chinese texts." },
  },
  heads: [
    { name: "sentiment", sets: [chnSentiCorp, zhReviews] },
    { name: "topic", sets: [thucNews] },
  ],
  training: { ...multitaskEn.training, epochs: 6 },
  // Its own texts are enough to say what a token stands beside.
  pretraining: { loadTexts: async () => [], data: [] },
};

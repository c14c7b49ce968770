/**
 * Is a text about politics, yes or no: BBC News (its class politics) and 20 Newsgroups (the three groups of
 * talk.politics), each with its own splits, so that both news and what people write to each other count.
 */
import type { ClassificationSet, LabelledText } from "../classification.ts";
import { bbc } from "./bbc.ts";
import { twentyNews } from "./twenty-news.ts";

const isPolitics = (label: string | null) => label === "politics" || label?.startsWith("talk.politics.") === true;

export const politics: ClassificationSet = {
  id: "politics",
  language: "en",
  splits: "those of BBC News (carved) and of 20 Newsgroups (official test), joined",
  card: {
    name: "BBC News and 20 Newsgroups (politics or not)",
    url: `${bbc.card.url} and ${twentyNews.card.url}`,
    licence: bbc.card.licence,
  },
  async load(options) {
    const [news, groups] = [await bbc.load(options), await twentyNews.load(options)];
    const joined = (split: "train" | "dev" | "test"): LabelledText[] =>
      [...news[split], ...groups[split]].map(({ text, label }) => ({ text, label: isPolitics(label) ? "yes" : "no" }));
    return {
      train: joined("train"),
      dev: joined("dev"),
      test: joined("test"),
      leftOut: {
        train: news.leftOut.train + groups.leftOut.train,
        dev: news.leftOut.dev + groups.leftOut.dev,
      },
    };
  },
};

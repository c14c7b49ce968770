/** IMDB, sentiment of long film reviews (Maas et al. 2011): 25,000 to train on, 25,000 to test with, half of each positive. */
import { type ClassificationSet, type LabelledText, withCarvedDev } from "../classification.ts";
import { gitHubFolder } from "../public.ts";
import { type RowFile, readRows } from "../rows.ts";

const REPOSITORY = "PVidyadhar/Detection-of-Fraud-apps-using-Sentiment-Analysis";
const FOLDER = gitHubFolder(REPOSITORY, "81406d56e9c006de30f9d50737fd66177a4a1434", "aclImdb");

const SENTIMENTS: Record<string, string> = { neg: "negative", pos: "positive" };

const file = (split: string, sha256: string): RowFile => ({
  mirrorFile: `cls_imdb/${split}.tsv.gz`,
  fields: 3,
  sha256,
  source: `one file a review under ${split}/ in ${FOLDER}, as TSV (neg or pos, the file's name, text)`,
});
const TRAIN = file("train", "7d652b295e2fa6e755668283f664401b032267b60626e098d6ad40c99d5239a6");
const TEST = file("test", "b21ea2d8f33f4ad166a0b68eb98aefd59ce548b45eafbd9d1d2b7182cd907530");

export const imdb: ClassificationSet = {
  id: "imdb",
  language: "en",
  splits: "official test; a tenth of train carved for dev",
  card: {
    name: "IMDB large movie reviews",
    url: FOLDER,
    licence: "no licence stated, free for research",
  },
  async load(options) {
    const read = async (split: RowFile): Promise<LabelledText[]> =>
      (await readRows("imdb", split, options)).map(([label, , text]) => ({
        label: SENTIMENTS[label!]!,
        text: text!.replace(/(?: *<br \/>)+ */g, "\n").trim(),
      }));
    return withCarvedDev({ train: await read(TRAIN), test: await read(TEST) });
  },
};

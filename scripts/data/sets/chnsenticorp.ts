/**
 * ChnSentiCorp, sentiment of Chinese reviews of hotels, books and notebooks (Tan Songbo's corpus in the split of
 * Chinese-BERT-wwm): 9,600, 1,200 and 1,200. A quarter of dev and of test stands in train word for word, as published,
 * and is taken out of train here.
 */
import { type ClassificationSet, type LabelledText, separate } from "../classification.ts";
import { gitHubFile, gitHubFolder, textLines } from "../public.ts";
import { type RowFile, readRows } from "../rows.ts";
import { unzip } from "../zip.ts";

const REPOSITORY = "ymcui/Chinese-BERT-wwm";
const COMMIT = "f6410cbd89c49dee8a42a7f7d94d9cca87b431aa";

const SENTIMENTS: Record<string, string> = { "0": "negative", "1": "positive" };

const file = (split: string, sha256: string): RowFile => ({
  mirrorFile: `cls_chnsenticorp/${split}.tsv.gz`,
  fields: 2,
  sha256,
  source: [
    {
      url: gitHubFile(REPOSITORY, COMMIT, "data/chnsenticorp/chnsenticorp.zip"),
      read: (bytes) => {
        const lines = textLines(unzip(bytes, "chnsenticorp.zip").get(`${split}.tsv`)!);
        return lines.slice(1).map((line) => line.split("\t"));
      },
    },
  ],
});
const TRAIN = file("train", "4d520f0312f6112d38c3aad3a51b3dfbe0917787bfdbaed18ecce5d927e85ead");
const DEV = file("dev", "909d2eaa770e6ae995e7e4e5867a98e666b1c8fa62b21ba0627ce6bfee85e4f5");
const TEST = file("test", "cd2553a9078adc8b38088d712772eee6a4c8e3653018c62754d1762fbdedde13");

export const chnSentiCorp: ClassificationSet = {
  id: "chnsenticorp",
  language: "zh",
  splits: "official, with what stands in dev or test taken out of train",
  card: {
    name: "ChnSentiCorp",
    url: gitHubFolder(REPOSITORY, COMMIT, "data/chnsenticorp"),
    licence: "no licence stated, research use",
  },
  async load(options) {
    const read = async (split: RowFile): Promise<LabelledText[]> =>
      (await readRows("chnsenticorp", split, options)).map(([label, text]) => ({
        label: SENTIMENTS[label!]!,
        text: text!,
      }));
    return separate({ train: await read(TRAIN), dev: await read(DEV), test: await read(TEST) });
  },
};

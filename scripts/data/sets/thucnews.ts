/**
 * THUCNews, titles of Chinese news in ten classes, politics among them (Sun et al. 2016): the usual 10,000 of dev and
 * of test, and of the usual 180,000 to train on the 82,135 that public repositories hold; figures are not comparable
 * with those of the whole set without saying so.
 */
import { type ClassificationSet, type LabelledText, separate } from "../classification.ts";
import { gitHubFile, gitHubFolder, textLines } from "../public.ts";
import { type RowFile, readRows } from "../rows.ts";

const REPOSITORY = "649453932/Chinese-Text-Classification-Pytorch";
const COMMIT = "6cb26819af7b646275aff8a4693676f2849e67f6";
/** In the order of the repository's class.txt. */
const LABELS = "finance realty stocks education science society politics sports game entertainment".split(" ");

const file = (split: string, sha256: string): RowFile => ({
  mirrorFile: `cls_thucnews_titles/${split}.tsv.gz`,
  fields: 2,
  sha256,
  source: [
    {
      url: gitHubFile(REPOSITORY, COMMIT, `THUCNews/data/${split}.txt`),
      read: (bytes) =>
        textLines(bytes).map((line) => {
          const [title, label] = line.split("\t");
          return [LABELS[Number(label)]!, title!];
        }),
    },
  ],
});
const TRAIN: RowFile = {
  ...file("train_82k", "ca5e8d8eeed292a990b1e4968fa8c02c0f8c8bca2c93f196fd30602d6f3e6cbb"),
  source:
    `a subset of 33,590 titles and two files of 40,000 from the history of ${REPOSITORY} and Mikky-Li/thuc (on GitHub), ` +
    "as TSV (label, title), each once, none that is in dev or test",
};
const DEV = file("dev", "aa4883d6623a548820e3f7cab629a0cfae266371a810738df49c07b2513775d3");
const TEST = file("test", "e5dd47422d79d2e5f1474c255c015f06bd7b92acf3e2f1feac500e0ada8a02bf");

export const thucNews: ClassificationSet = {
  id: "thucnews",
  language: "zh",
  splits: "official dev and test; train is 82,135 of the usual 180,000",
  card: {
    name: "THUCNews titles (82,135 of 180,000)",
    url: gitHubFolder(REPOSITORY, COMMIT, "THUCNews/data"),
    licence: "free for research, commercial use needs permission",
  },
  async load(options) {
    const read = async (split: RowFile): Promise<LabelledText[]> =>
      (await readRows("thucnews", split, options)).map(([label, text]) => ({ text: text!, label: label! }));
    return separate({ train: await read(TRAIN), dev: await read(DEV), test: await read(TEST) });
  },
};

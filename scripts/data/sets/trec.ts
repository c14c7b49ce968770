/**
 * TREC, the type of a question's answer (Li and Roth 2002): six classes, or fifty finer ones; 5,452 questions to
 * train on, 500 to test with. The fine classes are uneven: some have a handful of questions, and of 50 in train only
 * 42 occur in test.
 */
import { type ClassificationSet, type LabelledText, withCarvedDev } from "../classification.ts";
import { gitHubFile, gitHubFolder, textLines } from "../public.ts";
import { type RowFile, readRows } from "../rows.ts";

const REPOSITORY = "harvardnlp/sent-conv-torch";
const COMMIT = "d61ded09c99c0199d8c5bca946cd65864de2b296";

const file = (split: string, sha256: string): RowFile => ({
  mirrorFile: `cls_trec/${split}.tsv.gz`,
  fields: 3,
  sha256,
  source: [
    {
      url: gitHubFile(REPOSITORY, COMMIT, `data/raw/TREC.${split}`),
      // "HUM:ind What contemptible scoundrel …", with accents of Latin-1.
      read: (bytes) =>
        textLines(bytes, "latin1").map((line) => {
          const [fine] = line.split(" ", 1);
          return [fine!.split(":")[0]!, fine!, line.slice(fine!.length + 1)];
        }),
    },
  ],
});
const TRAIN = file("train", "0563b163c062b3f6f505a61c314c53a24bf1e9b78aad48f2f861c23a19cd975b");
const TEST = file("test", "4a5835a7624026df5f77d4aa25a3360209dfa5ba6e138f53267bf4703476e7e3");

/** @param column of the label */
function taskOf(id: string, column: 0 | 1, classes: string): ClassificationSet {
  return {
    id,
    language: "en",
    splits: "official test; a tenth of train carved for dev",
    card: {
      name: `TREC question types (${classes})`,
      url: gitHubFolder(REPOSITORY, COMMIT, "data/raw"),
      licence: "no licence stated, free for research",
    },
    async load(options) {
      const read = async (split: RowFile): Promise<LabelledText[]> =>
        (await readRows("trec", split, options)).map((row) => ({ text: row[2]!, label: row[column]! }));
      return withCarvedDev({ train: await read(TRAIN), test: await read(TEST) });
    },
  };
}

export const trec = taskOf("trec", 0, "6 coarse classes");
export const trecFine = taskOf("trec-fine", 1, "50 fine classes");

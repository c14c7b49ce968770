/** Banking77, 77 intents of bank customers (Casanueva et al. 2020, arXiv:2003.04807): 10,003 to train on, 3,080 to test with. */
import { type ClassificationSet, type LabelledText, withCarvedDev } from "../classification.ts";
import { parseCsv } from "../csv.ts";
import { decodeText, gitHubFile, gitHubFolder } from "../public.ts";
import { type RowFile, readRows } from "../rows.ts";

const REPOSITORY = "PolyAI-LDN/task-specific-datasets";
const COMMIT = "57ec275d8078af65b7731c2a98be812d844a6d6b";

const file = (split: string, sha256: string): RowFile => ({
  mirrorFile: `intent_banking77/${split}.tsv.gz`,
  fields: 2,
  sha256,
  source: [
    {
      url: gitHubFile(REPOSITORY, COMMIT, `banking_data/${split}.csv`),
      read: (bytes) =>
        parseCsv(decodeText(bytes))
          .slice(1)
          .map(({ fields: [text, intent] }) => [intent!, text!.replace(/[\r\n]+/g, " ")]),
    },
  ],
});
const TRAIN = file("train", "558a206e56146ca34cd9d65ed345bb5d26251c7424d4e119edfc9061e542846f");
const TEST = file("test", "a9a087b40e730b9abe33f3c3b6cc25a77436969b5ae680cc667147408156619f");

export const banking77: ClassificationSet = {
  id: "banking77",
  language: "en",
  splits: "official test; a tenth of train carved for dev",
  card: { name: "Banking77", url: gitHubFolder(REPOSITORY, COMMIT, "banking_data"), licence: "CC BY 4.0" },
  async load(options) {
    const read = async (split: RowFile): Promise<LabelledText[]> =>
      (await readRows("banking77", split, options)).map(([label, text]) => ({ text: text!, label: label! }));
    return withCarvedDev({ train: await read(TRAIN), test: await read(TEST) });
  },
};

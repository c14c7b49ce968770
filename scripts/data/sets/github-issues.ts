/**
 * GitHub issues as bug, feature or question (NLBSE 2024 tool competition): 1,500 to train on and 1,500 to test with,
 * 100 of each class out of five projects. The competition trains one classifier per project; here one is for all, so
 * its figures are not the same task.
 */
import { type ClassificationSet, joinTitle, type LabelledText, withCarvedDev } from "../classification.ts";
import { parseCsv } from "../csv.ts";
import { decodeText, gitHubFile, gitHubFolder } from "../public.ts";
import { type RowFile, readRows } from "../rows.ts";

const REPOSITORY = "nlbse2024/issue-report-classification";
const COMMIT = "2927bc67eb42db8affd16eaf3e5a6d74f3063961";
const KEYS = ["repo", "label", "title", "body"];

const file = (split: string, sha256: string): RowFile => ({
  mirrorFile: `cls_nlbse24_issues/${split}.jsonl.gz`,
  keys: KEYS,
  fields: KEYS.length,
  sha256,
  source: [
    {
      url: gitHubFile(REPOSITORY, COMMIT, `data/issues_${split}.csv`),
      read: (bytes) => {
        const [header, ...records] = parseCsv(decodeText(bytes));
        const columns = KEYS.map((key) => header!.fields.indexOf(key));
        return records.map(({ fields }) => columns.map((column) => fields[column]!));
      },
    },
  ],
});
const TRAIN = file("train", "d8a695ced17f2c6bceea7503f1de5b7dc1bf2ae42afaa14f5a3a57b7b6d8e132");
const TEST = file("test", "76dd96f2c11cdb0c497655c3b59027de55c3c88bd6250fee0f6265b549bd7b75");

export const gitHubIssues: ClassificationSet = {
  id: "github-issues",
  language: "en",
  splits: "official test; a tenth of train carved for dev",
  card: {
    name: "NLBSE'24 GitHub issue reports",
    url: gitHubFolder(REPOSITORY, COMMIT, "data"),
    licence: "no licence stated, research use; the texts belong to their authors",
  },
  async load(options) {
    const read = async (split: RowFile): Promise<LabelledText[]> =>
      (await readRows("github-issues", split, options)).map(([, label, title, body]) => ({
        text: joinTitle(title!, body!.replaceAll("\r\n", "\n")),
        label: label!,
      }));
    return withCarvedDev({ train: await read(TRAIN), test: await read(TEST) });
  },
};

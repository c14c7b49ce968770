/**
 * 20 Newsgroups, the split by date: 11,314 messages to train on, 7,532 to test with. The label is the group. Of the
 * headers only the subject is kept: the others (organization, host, sender) name the group without meaning it, so
 * figures are not comparable with those of the whole message.
 */
import { type ClassificationSet, joinTitle, type LabelledText, withCarvedDev } from "../classification.ts";
import { gitHubFolder } from "../public.ts";
import { type RowFile, readRows } from "../rows.ts";

const FOLDER = gitHubFolder("yao8839836/text_gcn", "962223652e9bb164ac2d83cd09fc7b8845ce860b", "data/20ng");

const file = (split: string, sha256: string): RowFile => ({
  mirrorFile: `cls_20news/${split}.jsonl.gz`,
  keys: ["label", "text"],
  fields: 2,
  sha256,
  source: `one file a message (Latin-1) under 20news-bydate-${split}/ in ${FOLDER}, as JSON lines (label, id, text)`,
});
const TRAIN = file("train", "88a740110ded35820ff6a905095bf85fd33b0f67f12fe8bd4013745dd690c900");
const TEST = file("test", "9a06399e4c64d47d2922b7ba7f6d70de6a76eae50d8a9a6073411fdd6fe9cfdc");

export const twentyNews: ClassificationSet = {
  id: "20news",
  language: "en",
  splits: "official test (by date); a tenth of train carved for dev",
  card: { name: "20 Newsgroups (by date)", url: FOLDER, licence: "no licence stated, research use customary" },
  async load(options) {
    const read = async (split: RowFile): Promise<LabelledText[]> =>
      (await readRows("20news", split, options)).map(([label, text]) => ({
        text: withoutHeaders(text!),
        label: label!,
      }));
    return withCarvedDev({ train: await read(TRAIN), test: await read(TEST) });
  },
};

/** The subject (without "Re:") above the body. */
function withoutHeaders(message: string): string {
  const end = message.indexOf("\n\n");
  const headers = end < 0 ? message : message.slice(0, end);
  const subject = /^subject:[ \t]*(?:re:[ \t]*)*(.*)$/im.exec(headers)?.[1] ?? "";
  return joinTitle(subject.trim(), end < 0 ? "" : message.slice(end).trim());
}

/**
 * The SMS Spam Collection (Almeida et al. 2011): 4,827 messages and 747 of spam. There is no official split: a fifth,
 * chosen by a hash of the text, is the test, so that a campaign's copies are on one side.
 */
import { createHash } from "node:crypto";
import { type ClassificationSet, type LabelledText, withCarvedDev } from "../classification.ts";
import { gitHubFile, gitHubFolder, textLines } from "../public.ts";
import { type RowFile, readRows } from "../rows.ts";

const REPOSITORY = "francojc/tadr";
const COMMIT = "5216d6c76fa9b8f3a2ccf80a491f65dd5dbe3541";

const file = (split: string, sha256: string): RowFile => ({
  mirrorFile: `cls_sms_spam/${split}.tsv.gz`,
  fields: 2,
  sha256,
  source: [
    {
      url: gitHubFile(REPOSITORY, COMMIT, "data-raw/original/sms/SMSSpamCollection.txt"),
      read: (bytes) =>
        textLines(bytes)
          .map((line) => line.split("\t"))
          .filter(([, text]) => isTest(text!) === (split === "test")),
    },
  ],
});
const TRAIN = file("train", "76a87d7e383ef433d1debce113fe0ce7c3c8e6e7b045bd89b19d24bfac807684");
const TEST = file("test", "cfb87a3644d74f293761fcea3ba63a85535934f5afa58bdeec2b58e6002dfa03");

/** md5 of the lower-cased word characters, modulo 10, below 2. */
function isTest(text: string): boolean {
  const words = text.toLowerCase().replace(/[^\p{L}\p{N}_]+/gu, "");
  return BigInt(`0x${createHash("md5").update(words).digest("hex")}`) % 10n < 2n;
}

export const smsSpam: ClassificationSet = {
  id: "sms-spam",
  language: "en",
  splits: "a fifth for test by a hash of the text; a tenth of the rest carved for dev",
  card: {
    name: "SMS Spam Collection",
    url: gitHubFolder(REPOSITORY, COMMIT, "data-raw/original/sms"),
    licence: "CC BY 4.0",
  },
  async load(options) {
    const read = async (split: RowFile): Promise<LabelledText[]> =>
      (await readRows("sms-spam", split, options)).map(([label, text]) => ({ text: text!, label: label! }));
    return withCarvedDev({ train: await read(TRAIN), test: await read(TEST) });
  },
};

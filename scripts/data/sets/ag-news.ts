/**
 * AG News, topics of news in four classes (Zhang et al. 2015, arXiv:1509.01626): the official 7,600 to test with, and
 * of the official 120,000 to train on the 42,481 that public repositories hold; figures are not comparable with those
 * of the whole set without saying so. The remains of HTML that the set is published with are repaired.
 */
import {
  type ClassificationSet,
  carve,
  DEV_SHARE,
  joinTitle,
  type LabelledText,
  separate,
  textKey,
} from "../classification.ts";
import { parseCsv } from "../csv.ts";
import { decodeText, gitHubFile, gitHubFolder } from "../public.ts";
import { type Row, type RowFile, readRows } from "../rows.ts";

const LABELS = ["World", "Sports", "Business", "Sci/Tech"];
const COMMIT = "555590db4219b1243abb1918effd6a7425a2d75f";
const REPOSITORY = "mhjabreel/CharCnn_Keras";

const TRAIN: RowFile = {
  mirrorFile: "cls_ag_news/train_42k.tsv.gz",
  fields: 3,
  sha256: "f01ec4ac705215e5b92f198d8f1c5ec85cf88e3a027b57f00ea8c08648894771",
  source:
    "the union of the held-out splits that MushfiqShovon/ptq_gendisc, yxhong-tw/AG-News-Exercise, hhf-hd/NoisyAG-News, " +
    "lst11111/bert-text-classification, HenryPengZou/JointMatch and forest-snow/alps (on GitHub) cut from the official " +
    "training set, as TSV (label, title, description), each description once, none that is in the test set",
};
const TEST: RowFile = {
  mirrorFile: "cls_ag_news/test.tsv.gz",
  fields: 3,
  sha256: "de7ca0885aaa8502467ca1530de943656a1bdefe369ecc0796ff5f5b63b70a90",
  source: [
    {
      url: gitHubFile(REPOSITORY, COMMIT, "data/ag_news_csv/test.csv"),
      read: (bytes) =>
        parseCsv(decodeText(bytes)).map(({ fields: [label, ...rest] }) => [LABELS[Number(label) - 1]!, ...rest]),
    },
  ],
};

interface NewsItem extends LabelledText {
  description: string;
}

export const agNews: ClassificationSet = {
  id: "ag-news",
  language: "en",
  splits: "official test; train is 42,481 of the official 120,000; a tenth of it carved for dev",
  card: {
    name: "AG News (42,481 of 120,000)",
    url: gitHubFolder(REPOSITORY, COMMIT, "data/ag_news_csv"),
    licence: "research and non-commercial use only",
  },
  async load(options) {
    const test = (await readRows("ag-news", TEST, options)).map(toItem);
    const { carved, rest } = carve((await readRows("ag-news", TRAIN, options)).map(toItem), DEV_SHARE);
    // The same news stands there under several titles, and with its title inside the description.
    const keys = ({ text, description }: NewsItem) => [textKey(text), textKey(description)];
    const { leftOut, ...splits } = separate({ train: rest, dev: carved, test }, keys);
    const plain = (items: NewsItem[]) => items.map(({ text, label }) => ({ text, label }));
    return { train: plain(splits.train), dev: plain(splits.dev), test: plain(splits.test), leftOut };
  },
};

function toItem([label, title, description]: Row): NewsItem {
  const repaired = repair(description!);
  return { label: label!, text: joinTitle(repair(title!), repaired), description: repaired };
}

const WINDOWS_1252 = new TextDecoder("windows-1252");

/** Undoes what a conversion out of HTML left: " #39;", "&lt;b&gt;", "quot;", and "\" for a line break or before "$". */
export function repair(text: string): string {
  return text
    .replace(/&lt;[^&]*?&gt;/g, " ")
    .replace(/ ?&?#(\d{2,5});/g, (_, code) => character(Number(code)))
    .replace(/&?\bquot;/g, '"')
    .replace(/&?\bamp;/g, "&")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replace(/\\(?=\$)/g, "")
    .replaceAll("\\", " ")
    .replace(/ {2,}/g, " ")
    .trim();
}

/** Numbers up to 255 are of Windows-1252, as browsers read them. */
function character(code: number): string {
  return code < 256 ? WINDOWS_1252.decode(Uint8Array.of(code)) : String.fromCodePoint(code);
}

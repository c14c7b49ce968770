/**
 * Chinese reviews of ten kinds of goods and of take-away food, sentiment (online_shopping_10_cats and waimai_10k of
 * ChineseNlpCorpus): 62,774 and 11,987. There is no official split: test and dev are carved.
 */
import { type ClassificationSet, type LabelledText, withCarvedTest } from "../classification.ts";
import { parseCsv } from "../csv.ts";
import { decodeText, gitHubFile, gitHubFolder } from "../public.ts";
import { type RowFile, readRows } from "../rows.ts";
import { unzip } from "../zip.ts";

const REPOSITORY = "SophonPlus/ChineseNlpCorpus";
const COMMIT = "a0b781d72158bde242c0626c9e354d2b328865ff";

const SENTIMENTS: Record<string, string> = { "0": "negative", "1": "positive" };

const readCsv = (bytes: Uint8Array) =>
  parseCsv(decodeText(bytes))
    .slice(1)
    .map(({ fields }) => fields.map((field) => field.replace(/[\r\n]+/g, " ")));

const SHOPPING: RowFile = {
  mirrorFile: "cls_zh_reviews/online_shopping_10_cats.tsv.gz",
  fields: 3,
  sha256: "2247944c76c5fc8b37e50588ca046f601087dcffb0d6fea6a970a7dd3764313e",
  source: [
    {
      url: gitHubFile(REPOSITORY, COMMIT, "datasets/online_shopping_10_cats/online_shopping_10_cats.zip"),
      read: (bytes) => readCsv(unzip(bytes, "online_shopping_10_cats.zip").get("online_shopping_10_cats.csv")!),
    },
  ],
};
const TAKE_AWAY: RowFile = {
  mirrorFile: "cls_zh_reviews/waimai_10k.tsv.gz",
  fields: 2,
  sha256: "b41b2322dce1ed3d503dc57eeff53840defe8907f2dbfc32ff1169484b2d7ed6",
  source: [{ url: gitHubFile(REPOSITORY, COMMIT, "datasets/waimai_10k/waimai_10k.csv"), read: readCsv }],
};

export const zhReviews: ClassificationSet = {
  id: "zh-reviews",
  language: "zh",
  splits: "a tenth carved for test, a tenth of the rest for dev",
  card: {
    name: "Chinese reviews (online_shopping_10_cats, waimai_10k)",
    url: gitHubFolder(REPOSITORY, COMMIT, "datasets"),
    licence: "no licence stated, research use",
  },
  async load(options) {
    const rows = [
      ...(await readRows("zh-reviews", SHOPPING, options)),
      ...(await readRows("zh-reviews", TAKE_AWAY, options)),
    ];
    const reviews = rows
      .map((row): LabelledText => ({ text: row.at(-1)!.replaceAll("\ufeff", ""), label: SENTIMENTS[row.at(-2)!]! }))
      .filter(({ text }) => text !== "");
    return withCarvedTest(reviews);
  },
};

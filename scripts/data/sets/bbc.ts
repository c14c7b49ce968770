/**
 * BBC News, five topics, politics among them (Greene and Cunningham 2006): four fifths of the 2,225 articles, chosen
 * by a hash of the body. There is no official split: test and dev are carved, a tenth each.
 */
import { createHash } from "node:crypto";
import { type ClassificationSet, joinTitle, type LabelledText, withCarvedTest } from "../classification.ts";
import { decodeText, gitHubFile, gitHubFolder } from "../public.ts";
import { type Row, type RowFile, readRows, type SourceOptions } from "../rows.ts";
import { unzip } from "../zip.ts";

const REPOSITORY = "derekgreene/bbc-datasets";
const COMMIT = "d81c6d9543cb90683b6927f35f6d06ccb4f59b55";

const ARTICLES: RowFile = {
  mirrorFile: "cls_bbc/train.tsv.gz",
  fields: 4,
  sha256: "4a81b44d0bbbd794cb3e714ef8a0d6567c0f1bf7a2be6334ba7996d2d81ee8d0",
  source: [{ url: gitHubFile(REPOSITORY, COMMIT, "raw/bbc-fulltext.zip"), read: readArchive }],
};

/** "bbc/politics/001.txt": the title, then the body in paragraphs. */
function readArchive(bytes: Uint8Array): Row[] {
  const articles = [...unzip(bytes, "bbc-fulltext.zip")].filter(([path]) => /^bbc\/\w+\/\d+\.txt$/.test(path));
  const rows = articles.map(([path, content]) => {
    // Some articles have a Latin-1 pound sign.
    const text = decodeText(content, isUtf8(content) ? "utf-8" : "latin1");
    const [, topic, number] = path.split("/");
    const [title, ...paragraphs] = text
      .split(/\r?\n/)
      .map((line) => line.trim())
      .filter((line) => line !== "");
    return [topic!, `${topic}/${number!.slice(0, -4)}`, title!, paragraphs.join(" ")];
  });
  return rows.filter(([, , , body]) => !isHeldOut(body!)).sort(([, a], [, b]) => (a! < b! ? -1 : 1));
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    decodeText(bytes);
    return true;
  } catch {
    return false;
  }
}

/** md5 of the body, a multiple of 5: a fifth that is in no file of a mirror. */
function isHeldOut(body: string): boolean {
  return BigInt(`0x${createHash("md5").update(body).digest("hex")}`) % 5n === 0n;
}

/**
 * The articles, split, with one of the five topics as label.
 * @throws Error as of `readRows`
 */
export async function loadBbc(options?: SourceOptions) {
  const rows = await readRows("bbc", ARTICLES, options);
  const articles = rows.map(
    ([label, , title, body]): LabelledText => ({ text: joinTitle(title!, body!), label: label! }),
  );
  return withCarvedTest(articles);
}

export const bbc: ClassificationSet = {
  id: "bbc",
  language: "en",
  splits: "1,791 articles; a tenth carved for test, a tenth of the rest for dev",
  card: {
    name: "BBC News",
    url: gitHubFolder(REPOSITORY, COMMIT, "raw"),
    licence: "research and non-commercial use only",
  },
  load: loadBbc,
};

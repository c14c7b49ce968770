/**
 * Labelled texts: what a classification data set is, and how its splits are kept apart. Where there is no official
 * dev split, one is carved from train by a hash of the text, so that it is the same on every machine and in any order
 * of rows; what also stands in test is then taken out of dev, and what stands in either out of train.
 */
import { createHash } from "node:crypto";
import type { SourceOptions } from "./rows.ts";

/** A text and its class; null where the text belongs to none of them (out of scope). */
export interface LabelledText {
  text: string;
  label: string | null;
}

export interface Splits<T = LabelledText> {
  train: T[];
  dev: T[];
  test: T[];
}

export interface LoadedSet extends Splits {
  /** Texts that were taken out because they stand in a later split as well. */
  leftOut: { train: number; dev: number };
}

export interface ClassificationSet {
  id: string;
  language: "en" | "zh";
  /** How the splits came about, for the card. */
  splits: string;
  /** For the model card. */
  card: { name: string; url: string; licence: string };
  /** @throws Error as of `readRows` */
  load(options?: SourceOptions): Promise<LoadedSet>;
}

/** What is carved from train where there is no dev split. */
export const DEV_SHARE = 0.1;
/** What is carved from all where there is no test split either. */
const TEST_SHARE = 0.1;

/** Two texts are the same if their letters and digits are, whatever case, spaces and punctuation. */
export function textKey(text: string): string {
  // Nearly all English text takes the first way, which is several times as fast.
  const key = /^[\0-\x7f]*$/.test(text)
    ? text
        .toLowerCase()
        .split(/[^a-z0-9]+/)
        .join("")
    : text
        .normalize("NFKC")
        .toLowerCase()
        .split(/[^\p{L}\p{N}]+/u)
        .join("");
  return key === "" ? text.trim() : key;
}

const keys = new WeakMap<LabelledText, string>();

/** The `textKey` of an item, worked out once. */
function keyOf(item: LabelledText): string {
  const key = keys.get(item) ?? textKey(item.text);
  keys.set(item, key);
  return key;
}

/**
 * Takes a share of each class away, at least one text and never all of them. Equal texts stay together.
 * @returns what was carved and what is left, both in the order of `items`
 */
export function carve<T extends LabelledText>(items: T[], share: number): { carved: T[]; rest: T[] } {
  const hashesOf = new Map<string | null, Map<string, string>>();
  for (const item of items) {
    const hashes = hashesOf.get(item.label) ?? new Map<string, string>();
    hashesOf.set(item.label, hashes);
    const key = keyOf(item);
    if (!hashes.has(key)) hashes.set(key, createHash("sha256").update(key).digest("hex"));
  }
  const taken = new Set<string>();
  for (const hashes of hashesOf.values()) {
    const count = Math.min(hashes.size - 1, Math.max(1, Math.round(share * hashes.size)));
    const sorted = [...hashes].sort(([, a], [, b]) => (a < b ? -1 : 1));
    for (const [key] of sorted.slice(0, count)) taken.add(key);
  }
  return {
    carved: items.filter((item) => taken.has(keyOf(item))),
    rest: items.filter((item) => !taken.has(keyOf(item))),
  };
}

/**
 * Splits without a text in common: test stays whole.
 * @param keysOf what makes two items the same, any one of them; default: the `textKey` of the text
 */
export function separate<T extends LabelledText>(
  splits: Splits<T>,
  keysOf: (item: T) => string[] = (item) => [keyOf(item)],
): Splits<T> & { leftOut: { train: number; dev: number } } {
  const seen = new Set(splits.test.flatMap(keysOf));
  const unseen = (item: T) => !keysOf(item).some((key) => seen.has(key));
  const dev = splits.dev.filter(unseen);
  for (const item of dev) for (const key of keysOf(item)) seen.add(key);
  const train = splits.train.filter(unseen);
  const leftOut = { train: splits.train.length - train.length, dev: splits.dev.length - dev.length };
  return { train, dev, test: splits.test, leftOut };
}

/** Splits with a dev carved from train. */
export function withCarvedDev(texts: { train: LabelledText[]; test: LabelledText[] }): LoadedSet {
  const { carved: dev, rest: train } = carve(texts.train, DEV_SHARE);
  return separate({ train, dev, test: texts.test });
}

/** Splits of texts that have none: a tenth for test, a tenth of the rest for dev. */
export function withCarvedTest(texts: LabelledText[]): LoadedSet {
  const { carved: test, rest: train } = carve(texts, TEST_SHARE);
  return withCarvedDev({ train, test });
}

/** The classes of texts in alphabetical order, out of scope (null) last if it occurs. */
export function classesOf(texts: LabelledText[]): (string | null)[] {
  const labels = new Set(texts.map(({ label }) => label));
  const inScope = [...labels].filter((label) => label !== null).sort();
  return labels.has(null) ? [...inScope, null] : inScope;
}

/** A subject or title and what it is about, as people write it: one above the other. */
export function joinTitle(title: string, body: string): string {
  return [title, body].filter((part) => part !== "").join("\n");
}

/** One line on the sizes and on what was left out. */
export function describeSplits({ train, dev, test, leftOut }: LoadedSet): string {
  const count = (n: number) => n.toLocaleString("en");
  const without = [
    ...(leftOut.train > 0 ? [`${count(leftOut.train)} of train that stand in dev or test`] : []),
    ...(leftOut.dev > 0 ? [`${count(leftOut.dev)} of dev that stand in test`] : []),
  ];
  const sizes = `${count(train.length)} to train on, ${count(dev.length)} dev, ${count(test.length)} test`;
  return without.length === 0 ? sizes : `${sizes}; without ${without.join(" and ")}`;
}

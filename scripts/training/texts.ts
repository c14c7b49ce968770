/** Labelled texts of a recipe's heads → labels, and tokens with head and label by index. */
import type { Tokenizer } from "../../worker/model/tokenizer.ts";
import { CORPUS_WORDS, cacheWords } from "../../worker/model/word-cache.ts";
import { classesOf, type LabelledText, type LoadedSet, separate } from "../data/classification.ts";
import { readTaught } from "../data/taught.ts";
import type { ClassificationRecipe, DataOptions } from "../recipes/recipe.ts";
import { uniformStream } from "./random.ts";
import type { LabelledTokens } from "./text-batches.ts";

/** The label of a text that belongs to none of a head's classes. */
export const OUT_OF_SCOPE = "out_of_scope";

export interface LoadedHead {
  name: string;
  labels: string[];
  outOfScope: string | null;
  train: LabelledText[];
  dev: LabelledText[];
  test: LabelledText[];
  /** Training texts of each set, in the recipe's order. */
  rows: number[];
}

/** Loads every head's texts; of a further set, those that do not stand in the first one's dev or test. @throws Error if a further set of a head has a label that the first does not know */
export async function loadHeads(recipe: ClassificationRecipe, data: DataOptions): Promise<LoadedHead[]> {
  const heads: LoadedHead[] = [];
  for (const { name, sets } of recipe.heads) {
    const loaded: LoadedSet[] = [];
    for (const set of sets) loaded.push(await set.load(data));
    const { train, dev, test } = loaded[0]!;
    const classes = classesOf(train);
    const unknown = loaded.flatMap((set) => classesOf(set.train)).find((label) => !classes.includes(label));
    if (unknown !== undefined) {
      throw new Error(`${recipe.id}: head ${name}: expected labels ${classes.join(", ")}, got ${unknown}`);
    }
    const trains = loaded.map((set) => separate({ train: set.train, dev, test }).train);
    heads.push({
      name,
      labels: classes.map((label) => label ?? OUT_OF_SCOPE),
      outOfScope: classes.includes(null) ? OUT_OF_SCOPE : null,
      train: trains.flat(),
      dev,
      test,
      rows: trains.map((train) => train.length),
    });
  }
  return heads;
}

/** Heads with the texts that teachers labelled for them. @throws Error as of `readTaught` */
export async function withTaught(recipe: ClassificationRecipe, heads: LoadedHead[]): Promise<LoadedHead[]> {
  const all: LoadedHead[] = [];
  for (const [i, head] of heads.entries()) {
    const texts = recipe.heads[i]!.taught ? await readTaught(head.name) : [];
    const rows = recipe.heads[i]!.taught ? [...head.rows, texts.length] : head.rows;
    all.push({ ...head, train: [...head.train, ...texts], rows });
  }
  return all;
}

/** Tokens of one head's texts; a text without a token is left out. */
export function encodeTexts(texts: LabelledText[], head: number, labels: string[], tokenizer: Tokenizer) {
  const index = new Map(labels.map((label, i) => [label, i]));
  const encode = cacheWords(tokenizer.encode, CORPUS_WORDS);
  const encoded: LabelledTokens[] = [];
  for (const { text, label } of texts) {
    const tokens = encode(text);
    if (tokens.length > 0) encoded.push({ tokens, head, label: index.get(label ?? OUT_OF_SCOPE)! });
  }
  return encoded;
}

/** Cuts a text longer than `length` tokens to a random window; drawn anew in each epoch, so that all of it is seen. */
export function randomWindows<Text extends { tokens: number[] }>(texts: Text[], length: number, seed: number): Text[] {
  const uniform = uniformStream(seed);
  return texts.map((text) => {
    if (text.tokens.length <= length) return text;
    const start = Math.floor(uniform() * (text.tokens.length - length + 1));
    return { ...text, tokens: text.tokens.slice(start, start + length) };
  });
}

/** Cuts a text into windows of at most `length` tokens, all of it kept. */
export function allWindows(tokens: number[], length: number): number[][] {
  const windows: number[][] = [];
  for (let start = 0; start < tokens.length; start += length) windows.push(tokens.slice(start, start + length));
  return windows;
}

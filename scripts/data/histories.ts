/**
 * Who took what, in time order: what a recommendation data set is, and how it is split. Leave one out (He et al. 2017,
 * Kang & McAuley 2018): a user's last item is to test with, the one before it to choose by, all before those to train on.
 */
import { uniformStream } from "../training/random.ts";
import type { SourceOptions } from "./rows.ts";

/** Ids of the items of each user, oldest first. */
export type Sequences = string[][];

export interface HistorySet {
  id: string;
  /** What its figures are called by. */
  title: string;
  /** For the model card. */
  card: { name: string; url: string; licence: string };
  /** @throws Error as of `readRows` */
  load(options?: SourceOptions): Promise<Sequences>;
}

/** What a user had before, and what came next, by their rows in the catalogue. */
export interface Question {
  history: readonly number[];
  next: number;
}

export interface HistorySplits {
  /** Ids by row: those that are most frequent in `train` first, so that the first rows are the popularity ranking. */
  items: string[];
  /** How often each row occurs in `train`. */
  counts: Int32Array;
  /** Rows of each user's items, oldest first. */
  train: number[][];
  dev: Question[];
  test: Question[];
}

/** A user with fewer items is only to train on: a question needs something before it. */
const MIN_ITEMS = 3;

/** Splits by leaving one out; the catalogue is every item that occurs anywhere. */
export function splitHistories(sequences: Sequences): HistorySplits {
  const trainLength = ({ length }: string[]) => (length >= MIN_ITEMS ? length - 2 : length);
  const countOf = new Map<string, number>();
  for (const sequence of sequences) {
    for (const id of sequence.slice(0, trainLength(sequence))) countOf.set(id, (countOf.get(id) ?? 0) + 1);
  }
  for (const sequence of sequences) {
    for (const id of sequence.slice(trainLength(sequence))) if (!countOf.has(id)) countOf.set(id, 0);
  }
  // The sort is stable: of equally frequent items the one that train met first, so that their order tells nothing of test.
  const items = [...countOf.keys()].sort((a, b) => countOf.get(b)! - countOf.get(a)!);
  const rowOf = new Map(items.map((id, row) => [id, row]));
  const splits: HistorySplits = {
    items,
    counts: Int32Array.from(items, (id) => countOf.get(id)!),
    train: [],
    dev: [],
    test: [],
  };
  for (const sequence of sequences) {
    const rows = sequence.map((id) => rowOf.get(id)!);
    const length = trainLength(sequence);
    splits.train.push(rows.slice(0, length));
    if (length === rows.length) continue;
    splits.dev.push({ history: rows.slice(0, -2), next: rows.at(-2)! });
    splits.test.push({ history: rows.slice(0, -1), next: rows.at(-1)! });
  }
  return splits;
}

/** About so many of the questions, the same each time: users stand in an order that is not random. */
export function sampleQuestions(questions: readonly Question[], count: number): Question[] {
  const uniform = uniformStream(1);
  const share = count / questions.length;
  return questions.filter(() => uniform() < share);
}

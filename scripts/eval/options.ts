/** What the command line of `npm run eval` says, for every kind of model. */
import type { KernelBuild } from "../kernels.ts";

export interface EvalOptions {
  split?: string;
  data?: string;
  cache?: string;
  limit?: number;
  kernels: KernelBuild;
  float?: string[];
  json?: string;
  record?: true;
  /** Of translation. */
  beam?: number;
  lengthPenalty?: number;
  shortlist?: true;
  translations?: string;
  /** Of classification. */
  task?: string;
  compare?: boolean;
  beside?: string;
  explain?: number;
  fairness?: true;
  /** Of recommendation. */
  reasons?: number;
}

/** @throws Error if there is no such split */
export function checkSplit(split: string, splits: readonly string[]): void {
  if (!splits.includes(split)) throw new Error(`eval: expected --split out of ${splits.join(", ")}, got ${split}`);
}

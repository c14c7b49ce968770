/** What a recipe is: everything that decides how one shipped model is made, in one object. */
import type { TranslationConfig } from "../../worker/model/config.ts";
import type { SentencePair } from "../data/multi30k.ts";

/** Where to find data sets: `dataDir` is a local mirror, tried first; otherwise they are downloaded once. */
export interface DataOptions {
  dataDir?: string | undefined;
  cacheDir?: string | undefined;
}

/** The schedule and the regularization of a run. */
export interface TrainingOptions {
  epochs: number;
  /** Rows of one step, over all replicas, on a CPU and on a GPU. */
  rowsPerStep: { wasm: number; webgpu: number };
  peakLearningRate: number;
  warmupSteps: number;
  /** The share of the steps over which the learning rate falls to zero. */
  decayShare: number;
  dropout: number;
  labelSmoothing: number;
  weightDecay: number;
  /** Dev score and checkpoint every so many epochs. */
  evaluateEvery: number;
  seed: number;
}

export interface TranslationRecipe {
  /** Names the run and the model: `models/<id>`. */
  id: string;
  /** Everything of `config.json` that does not come out of training. */
  config: Omit<TranslationConfig, "card"> & { card: Omit<TranslationConfig["card"], "quality"> };
  /** Reads a split; `train` and `dev` exist in each recipe, the others are for evaluation only. */
  loadSplit(split: string, options: DataOptions): Promise<SentencePair[]>;
  splits: string[];
  /** Pairs are packed into rows of this many tokens a side. */
  rowLength: number;
  training: TrainingOptions;
}

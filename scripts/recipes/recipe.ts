/** What a recipe is: everything that decides how one shipped model is made, in one object. */
import type {
  ClassificationConfig,
  EncoderClassificationConfig,
  LstmClassificationConfig,
  QuestionAnsweringConfig,
  RecommendationConfig,
  TranslationConfig,
} from "../../worker/model/config.ts";
import type { ClassificationSet } from "../data/classification.ts";
import type { HistorySet } from "../data/histories.ts";
import type { SentencePair } from "../data/multi30k.ts";
import type { QuestionSet } from "../data/question-answering.ts";
import type { PairSource } from "../data/text-pairs.ts";

/** Where to find data sets: `dataDir` is a local mirror, tried first; otherwise they are downloaded once. */
export interface DataOptions {
  dataDir?: string | undefined;
  cacheDir?: string | undefined;
}

/** The schedule and the regularization of a run. */
export interface TrainingOptions {
  epochs: number;
  /** Rows of one step, over all replicas, on a CPU and on a GPU. */
  rowsPerStep: { cpu: number; webgpu: number };
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
  kind: "translation";
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

/** A question that the model answers, and the labelled texts that teach it. */
export interface HeadRecipe {
  name: string;
  /** Trained on all of them; dev and test are the first one's, and so are the labels. */
  sets: [ClassificationSet, ...ClassificationSet[]];
  /**
   * Texts that teachers labelled (scripts/data/taught.ts), for training only: what they are, for the card, and of which
   * set, as of `loadUnlabelled`; without one they are the head's own once more.
   */
  taught?: { name: string; licence: string; set?: string };
  /** Multiplies the head's part of an epoch: short texts with many classes need more, and cost little. Default: 1. */
  factor?: number;
}

export interface ClassificationRecipe {
  kind: "classification";
  /** Names the run and the model: `models/<id>`. */
  id: string;
  /** Everything of `config.json` that does not come out of the data or of training. */
  config: (Omit<EncoderClassificationConfig, "card" | "heads"> | Omit<LstmClassificationConfig, "card" | "heads">) & {
    card: { description: string };
  };
  heads: HeadRecipe[];
  /** Whether the tokenizer folds capitals: half the words, and nearly all of their meaning. */
  lowercase: boolean;
  /**
   * Texts are packed into rows of this many tokens, at most `slots` of them in a row; longer ones become windows. Of long
   * short-term memories a row holds one text.
   */
  rowLength: number;
  slots: number;
  /** Texts of an epoch, over all heads; a head's share goes with the power of its number of texts. */
  epochTexts: number;
  samplingExponent: number;
  /** Probability that a token of a training text is left out. */
  tokenDropout: number;
  /** Probability that an n-gram's vector is left out in training. Default: 0. */
  nGramDropout?: number;
  training: TrainingOptions;
  /** What is learned from the training texts and these, before any label is seen. */
  pretraining?: {
    loadTexts(options: DataOptions): Promise<string[]>;
    /** What these texts are, for the card. */
    data: ClassificationConfig["card"]["training_data"];
    /** The embedding begins with vectors of what tokens stand beside; then the encoder learns to name hidden tokens. */
    hiddenTokens?: {
      /** Tokens of an epoch, drawn anew from all of them. */
      epochTokens: number;
      training: TrainingOptions;
    };
  };
}

export interface EmbeddingRecipe {
  kind: "embedding";
  /** Names the run and the model: `models/<id>`. */
  id: string;
  /** The model whose encoder and vocabulary it begins with; the network is of its sizes. */
  from: string;
  card: { description: string };
  /** What is alike, and how many pairs of each an epoch has. */
  sources: { source: PairSource; epochPairs: number }[];
  /** Pairs are packed into rows of this many tokens, at most half of `slots` of them in a row. */
  rowLength: number;
  slots: number;
  /** Probability that a token of a training text is left out. */
  tokenDropout: number;
  training: TrainingOptions;
}

export interface QuestionAnsweringRecipe {
  kind: "question-answering";
  /** Names the run and the model: `models/<id>`. */
  id: string;
  /** Everything of `config.json` that does not come out of the data or of training. */
  config: Omit<QuestionAnsweringConfig, "card"> & { card: { description: string } };
  /** The model whose vocabulary and encoder it begins with. */
  from: string;
  /** In place of the configuration's `max_answer_words` once it is trained. */
  answerWords: number;
  sets: QuestionSetUse[];
  /** Contexts and questions are packed into rows of this many tokens, at most `slots` of them in a row. */
  rowLength: number;
  slots: number;
  /** Probability that a word of a training question is left out. */
  wordDropout: number;
  /** Share of the training contexts of which only the sentences around an answer are read: more questions in the same time. */
  cropped: number;
  /** Questions of an epoch that are asked once more, of a context that does not answer them, as a share of all. */
  unanswerable: number;
  training: TrainingOptions;
}

/** What a recipe takes of a set of questions. Dev and test are those of all sets that have them. */
export interface QuestionSetUse {
  set: QuestionSet;
  /** Questions of an epoch, drawn anew; default: all. */
  epochQuestions?: number;
  /** Where contexts are single sentences: up to so many others are put around each. */
  amongOthers?: number;
}

export interface RecommendationRecipe {
  kind: "recommendation";
  /** Names the run and the model: `models/<id>`. */
  id: string;
  /** Everything of `config.json` that does not come out of the data or of training. */
  config: Omit<RecommendationConfig, "vocab_size" | "most_popular" | "card"> & { card: { description: string } };
  set: HistorySet;
  training: TrainingOptions;
}

export type Recipe =
  | TranslationRecipe
  | ClassificationRecipe
  | QuestionAnsweringRecipe
  | EmbeddingRecipe
  | RecommendationRecipe;

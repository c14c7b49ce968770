/**
 * Answers out of English texts: multitask-en's encoder, a table of features and a span head. The words that a question and
 * a text have in common are told to it, for at this size it does not find them by itself.
 */
import { qamr } from "../data/sets/qamr.ts";
import { amazonReviews, newWiki } from "../data/sets/squad-shifts.ts";
import { multitaskEn } from "./multitask-en.ts";
import type { QuestionAnsweringRecipe } from "./recipe.ts";

const ROW_LENGTH = 256;

export const readerEn: QuestionAnsweringRecipe = {
  kind: "question-answering",
  id: "reader-en",
  config: {
    ...(multitaskEn.config as Extract<(typeof multitaskEn)["config"], { model_type: "edge-slm-encoder" }>),
    task: "question-answering",
    // Its first two layers: in the time that there is, twice the questions are worth more than the other two.
    n_enc_layers: 2,
    max_seq_len: ROW_LENGTH,
    max_question_tokens: 48,
    max_answer_words: 20,
    temperature: 1,
    no_answer_below: 0,
    card: { description: "Finds the part of an English text that answers a question." },
  },
  from: "multitask-en",
  // Chosen on dev, out of 12 and 20: hardly an answer is longer, and what is longer is hardly an answer.
  answerWords: 12,
  sets: [{ set: newWiki }, { set: amazonReviews }, { set: qamr, epochQuestions: 6_000, amongOthers: 4 }],
  rowLength: ROW_LENGTH,
  slots: 8,
  wordDropout: 0.1,
  cropped: 0.75,
  unanswerable: 0.25,
  training: {
    epochs: 10,
    rowsPerStep: { cpu: 24, webgpu: 128 },
    peakLearningRate: 1e-3,
    warmupSteps: 100,
    decayShare: 0.6,
    dropout: 0.1,
    labelSmoothing: 0,
    weightDecay: 0.05,
    evaluateEvery: 1,
    seed: 1,
  },
};

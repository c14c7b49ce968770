/**
 * Vectors of English sentences: multitask-en's encoder, which knows words and intents, taught what belongs together.
 * A hundred and twenty-eight numbers a text, so that a hundred thousand texts are 13 MB.
 */
import { banking77 } from "../data/sets/banking77.ts";
import { clinc150 } from "../data/sets/clinc150.ts";
import { paragraphQuestions, sameIntent, sentenceQuestions, ticketAnswers } from "../data/text-pairs.ts";
import type { EmbeddingRecipe } from "./recipe.ts";

export const embedEn: EmbeddingRecipe = {
  kind: "embedding",
  id: "embed-en",
  from: "multitask-en",
  card: {
    description:
      "Vectors of English sentences: questions that ask the same are near to each other, and near to what answers them.",
  },
  sources: [
    { source: sameIntent(clinc150), epochPairs: 10_000 },
    { source: sameIntent(banking77), epochPairs: 7_000 },
    { source: paragraphQuestions, epochPairs: 3_500 },
    { source: sentenceQuestions, epochPairs: 2_000 },
    { source: ticketAnswers, epochPairs: 800 },
  ],
  rowLength: 128,
  slots: 16,
  tokenDropout: 0.1,
  training: {
    epochs: 3,
    rowsPerStep: { cpu: 32, webgpu: 128 },
    peakLearningRate: 1e-3,
    warmupSteps: 50,
    decayShare: 0.8,
    dropout: 0.1,
    labelSmoothing: 0,
    weightDecay: 0.05,
    evaluateEvery: 1,
    seed: 1,
  },
};

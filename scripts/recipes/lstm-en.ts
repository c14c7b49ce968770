/**
 * The small language model before the transformer, for comparison: embeddings of 128, a long short-term memory of 256
 * that reads the text, a second one of 256 that starts from its last state and answers, a linear head. Trained by the
 * same command on the same splits as multitask-en, on those of its tasks whose texts are short: sentences and news in a
 * window of 64 tokens. A long text makes as many steps, each of which waits for the one before.
 */
import { agNews } from "../data/sets/ag-news.ts";
import { banking77 } from "../data/sets/banking77.ts";
import { clinc150 } from "../data/sets/clinc150.ts";
import { loadPlainText, PLAIN_TEXT_CARDS } from "../data/sets/plain-text.ts";
import { sst2 } from "../data/sets/sst2.ts";
import { trec } from "../data/sets/trec.ts";
import type { ClassificationRecipe } from "./recipe.ts";

const ROW_LENGTH = 64;

export const lstmEn: ClassificationRecipe = {
  kind: "classification",
  id: "lstm-en",
  config: {
    model_type: "edge-slm-lstm",
    task: "classification",
    d_embedding: 128,
    d_model: 256,
    n_enc_layers: 1,
    n_dec_layers: 1,
    vocab_size: 16_000,
    max_seq_len: ROW_LENGTH,
    pad_token_id: 0,
    bos_token_id: 1,
    eos_token_id: 2,
    source_languages: ["en"],
    source_scripts: ["Latin"],
    card: {
      description:
        "Topic, sentiment, intent and question type of English texts by long short-term memories: what multitask-en is compared with.",
    },
  },
  heads: [
    { name: "topic", sets: [agNews] },
    { name: "sentiment", sets: [sst2] },
    { name: "intent", sets: [clinc150] },
    { name: "banking_intent", sets: [banking77] },
    { name: "question_type", sets: [trec] },
  ],
  lowercase: true,
  rowLength: ROW_LENGTH,
  slots: 1,
  epochTexts: 40_000,
  samplingExponent: 0.5,
  tokenDropout: 0.1,
  pretraining: { loadTexts: loadPlainText, data: PLAIN_TEXT_CARDS },
  training: {
    epochs: 8,
    rowsPerStep: { cpu: 128, webgpu: 1024 },
    peakLearningRate: 3e-3,
    warmupSteps: 100,
    decayShare: 0.5,
    dropout: 0.2,
    labelSmoothing: 0.1,
    weightDecay: 0.05,
    evaluateEvery: 1,
    seed: 1,
  },
};

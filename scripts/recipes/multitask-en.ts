/**
 * One small English encoder and nine heads. Narrow and shallow for two milliseconds a text, with a wide vocabulary and
 * vectors of n-grams: what words say, and words beside each other, stands in tables, which cost no time.
 */
import { outOfScope, someOf } from "../data/derived-sets.ts";
import { agNews } from "../data/sets/ag-news.ts";
import { banking77 } from "../data/sets/banking77.ts";
import { clinc150 } from "../data/sets/clinc150.ts";
import { gitHubIssues } from "../data/sets/github-issues.ts";
import { imdb } from "../data/sets/imdb.ts";
import { loadPlainText, PLAIN_TEXT_CARDS } from "../data/sets/plain-text.ts";
import { politics } from "../data/sets/politics.ts";
import { smsSpam } from "../data/sets/sms-spam.ts";
import { sst2 } from "../data/sets/sst2.ts";
import { ticketsQueue } from "../data/sets/tickets.ts";
import { trec } from "../data/sets/trec.ts";
import { QUESTIONS } from "../data/unlabelled.ts";
import type { ClassificationRecipe } from "./recipe.ts";

const ROW_LENGTH = 128;
/** Of heads with few texts and doubtful labels. */
const LINEAR = { name: "the same once more, labelled by linear models that had not seen them" };

export const multitaskEn: ClassificationRecipe = {
  kind: "classification",
  id: "multitask-en",
  config: {
    model_type: "edge-slm-encoder",
    task: "classification",
    d_model: 128,
    d_ff: 512,
    n_heads: 4,
    // The fourth of a network that had one was worth nothing on dev.
    n_enc_layers: 3,
    vocab_size: 16_000,
    // The Worker's windows are as long as the rows that the positions were trained on.
    max_seq_len: ROW_LENGTH,
    n_grams: 32_768,
    activation: "gelu",
    layer_norm_eps: 1e-5,
    pad_token_id: 0,
    bos_token_id: 1,
    eos_token_id: 2,
    source_languages: ["en"],
    source_scripts: ["Latin"],
    card: {
      description:
        "Topic, politics, sentiment, intent, question type, spam, support queue and issue type of English texts.",
    },
  },
  heads: [
    { name: "topic", sets: [agNews], factor: 2 },
    { name: "politics", sets: [politics], factor: 0.7 },
    {
      name: "sentiment",
      sets: [sst2, imdb],
      taught: {
        name: "sentences of IMDB's reviews, labelled by multitask-en, long short-term memories and a linear model",
        licence: imdb.card.licence,
        set: imdb.id,
      },
      factor: 2.5,
    },
    { name: "intent", sets: [clinc150, outOfScope(someOf(trec, 1_000))], factor: 2.5 },
    { name: "banking_intent", sets: [banking77], factor: 2 },
    {
      name: "question_type",
      sets: [trec],
      taught: {
        name: "questions of SQuAD-shifts and QAMR, labelled by multitask-en, long short-term memories and a linear model",
        licence: "CC BY 4.0 and MIT",
        set: QUESTIONS,
      },
      factor: 1.5,
    },
    { name: "spam", sets: [smsSpam], factor: 0.7 },
    { name: "support_queue", sets: [ticketsQueue], taught: { ...LINEAR, licence: ticketsQueue.card.licence } },
    { name: "issue_type", sets: [gitHubIssues], taught: { ...LINEAR, licence: gitHubIssues.card.licence } },
  ],
  lowercase: true,
  rowLength: ROW_LENGTH,
  slots: 16,
  epochTexts: 100_000,
  samplingExponent: 0.5,
  tokenDropout: 0.05,
  nGramDropout: 0.3,
  training: {
    epochs: 17,
    rowsPerStep: { cpu: 32, webgpu: 256 },
    peakLearningRate: 1e-3,
    warmupSteps: 300,
    decayShare: 0.5,
    dropout: 0.2,
    labelSmoothing: 0.1,
    weightDecay: 0.05,
    evaluateEvery: 1,
    seed: 1,
  },
  pretraining: {
    loadTexts: loadPlainText,
    data: PLAIN_TEXT_CARDS,
    // Naming hidden tokens as well was no help in the hour of two CPU cores that it had: after 8 M tokens the loss stood
    // at 6.2 nats, hardly below that of the words' frequencies.
  },
};

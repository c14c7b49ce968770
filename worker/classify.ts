/**
 * Classifies texts with a loaded model: windows out, batches through the engine, labels with probabilities in, and on
 * request the weight of each word. Knows no HTTP but the Problem it throws; routes/classify.ts has the schemas.
 */
import { leaveOneOut, type Remainder } from "./engine/explain.ts";
import { classify, combineWindows, isOutOfScope } from "./engine/heads.ts";
import { Problem } from "./errors.ts";
import type { LoadedModel } from "./loaded-model.ts";
import type { ClassificationConfig } from "./model/config.ts";
import type { Manifest } from "./model/manifest.ts";
import { type Plan, tokensOf } from "./plan-windows.ts";
import { scriptTest } from "./text/clean.ts";
import type { TextWindow } from "./text/windows.ts";
import { joinNeighbours, splitWords } from "./text/words.ts";

type TextClassifier = LoadedModel<"classification">;

export interface ClassifyOptions {
  /** Names of heads. */
  tasks: readonly string[];
  /** Most labels of a task's answer. */
  topK: number;
  /** A best label that is less probable is no answer. */
  threshold: number;
  explain: boolean;
  signal: AbortSignal;
}

export interface Explanation {
  /** Which label the weights are for: the most probable one, also where the answer is none. */
  label: string;
  words: { text: string; weight: number }[];
  /** How many neighbouring words share a weight: 1 unless the request had too many to leave out one by one. */
  words_per_weight: number;
}

export interface TaskAnswer {
  label: string | null;
  /** Why there is no label. */
  reason: "out_of_scope" | "below_threshold" | "no_text" | null;
  /** Most probable first. */
  labels: { label: string; probability: number }[];
  explanation?: Explanation;
}

export interface Classification {
  tasks: Record<string, TaskAnswer>;
  /** Without the end tokens of the windows. */
  tokens: number;
  /** Parts that the text was read in; 0 if it is empty. */
  windows: number;
}

/**
 * Of the models that know the tasks and read the texts' script the one that knows most.
 * @param candidates at least one
 * @param tasks none if all are welcome
 * @throws Problem unsupported_task
 */
export function chooseModel(
  candidates: Manifest<"classification">[],
  tasks: readonly string[],
  texts: string[],
): Manifest<"classification"> {
  const knowing = candidates
    .filter(({ config }) => tasks.every((name) => config.heads.some((head) => head.name === name)))
    // The sort is stable: of equal ones the first by id.
    .sort((a, b) => b.config.heads.length - a.config.heads.length);
  if (knowing.length === 0) {
    const known = candidates.map(({ id, config }) => ({ model: id, tasks: config.heads.map(({ name }) => name) }));
    const offer = known.map((entry) => `${entry.tasks.join(", ")} of model ${entry.model}`).join("; ");
    throw new Problem("unsupported_task", `task: expected ${offer}; got ${tasks.join(", ")}`, {
      extensions: { models: known },
    });
  }
  // If none reads the texts, the first one says so.
  return knowing.find(({ config }) => texts.every(scriptTest(config.source_scripts))) ?? knowing[0]!;
}

/**
 * The heads that tasks name.
 * @throws Problem unsupported_task if the model has no such head
 */
export function findHeads({ heads }: ClassificationConfig, tasks: readonly string[]): number[] {
  return tasks.map((task) => {
    const index = heads.findIndex(({ name }) => name === task);
    if (index >= 0) return index;
    const known = heads.map(({ name }) => name);
    throw new Problem("unsupported_task", `task: expected ${known.join(", ")}; got ${JSON.stringify(task)}`, {
      extensions: { tasks: known },
    });
  });
}

/** Classifies all windows of all texts as one batch. */
export async function classifyTexts(
  plan: Plan,
  model: TextClassifier,
  options: ClassifyOptions,
): Promise<Classification[]> {
  const { config } = model.manifest;
  const heads = findHeads(config, options.tasks);
  const engineOptions = { heads, signal: options.signal };
  const answers = await classify(model.engine, plan.flat().map(tokensOf), engineOptions);
  const explainer = options.explain ? new Explainer(plan, model, engineOptions) : undefined;
  const classifications: Classification[] = [];
  let next = 0;
  for (const windows of plan) {
    const logProbs = answers.slice(next, next + windows.length);
    next += windows.length;
    const lengths = windows.map(({ tokens }) => tokens.length);
    const taskAnswers = heads.map((head, i) => {
      const combined = combineWindows(
        logProbs.map((window) => window[i]!),
        lengths,
      );
      return answerTask(config.heads[head]!, combined, options);
    });
    const explanations = windows.length === 0 ? [] : await explainer?.explain(windows, logProbs, taskAnswers);
    const tasks = options.tasks.map((task, i) => {
      const explanation = explanations?.[i];
      return [task, { ...taskAnswers[i]!.answer, ...(explanation ? { explanation } : {}) }];
    });
    classifications.push({
      tasks: Object.fromEntries(tasks),
      tokens: lengths.reduce((sum, length) => sum + length, 0),
      windows: windows.length,
    });
  }
  return classifications;
}

interface Answered {
  answer: TaskAnswer;
  /** Index and name of the most probable label. */
  best: number;
  bestLabel: string;
}

/** @param logProbs [labels], none for a text without a token */
function answerTask(
  head: ClassificationConfig["heads"][number],
  logProbs: Float64Array,
  { topK, threshold }: ClassifyOptions,
): Answered {
  // The sort is stable: of equal ones the earlier label comes first.
  const ranking = [...logProbs.keys()].sort((a, b) => logProbs[b]! - logProbs[a]!);
  const [best] = ranking;
  if (best === undefined) return { answer: { label: null, reason: "no_text", labels: [] }, best: -1, bestLabel: "" };
  const { labels } = head;
  const bestLabel = labels[best]!;
  const isBelow = Math.exp(logProbs[best]!) < threshold;
  const reason = isOutOfScope(head, logProbs, best) ? "out_of_scope" : isBelow ? "below_threshold" : null;
  const answer = {
    label: reason === null ? bestLabel : null,
    reason,
    labels: ranking.slice(0, topK).map((i) => ({ label: labels[i]!, probability: round(Math.exp(logProbs[i]!)) })),
  } as const;
  return { answer, best, bestLabel };
}

/** To what a reader can use. */
function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

/**
 * Tokens that a request may spend on explanations: about a second of a small model. Each word left out costs the tokens
 * of its window.
 */
const MAX_EXPLAIN_TOKENS = 32_768;

/** Explains the texts of one request within one budget. */
class Explainer {
  readonly #model: TextClassifier;
  readonly #options: { heads: readonly number[]; signal: AbortSignal };
  readonly #words: Map<TextWindow, string[]>;
  readonly #wordsPerWeight: number;

  constructor(plan: Plan, model: TextClassifier, options: { heads: readonly number[]; signal: AbortSignal }) {
    this.#model = model;
    this.#options = options;
    const language = model.manifest.config.source_languages[0]!;
    this.#words = new Map(plan.flat().map((window) => [window, splitWords(window.text, language)]));
    const counts = [...this.#words].map(([window, { length }]) => ({ words: length, cost: window.tokens.length + 1 }));
    const costOf = (perWeight: number) =>
      counts.reduce((sum, { words, cost }) => sum + Math.ceil(words / perWeight) * cost, 0);
    let perWeight = 1;
    while (costOf(perWeight) > MAX_EXPLAIN_TOKENS && counts.some(({ words }) => words > perWeight)) perWeight++;
    this.#wordsPerWeight = perWeight;
  }

  /** @returns the explanation of each head's answer */
  async explain(windows: TextWindow[], logProbs: Float64Array[][], answers: Answered[]): Promise<Explanation[]> {
    const { tokenizer, engine } = this.#model;
    const parts = windows.map((window) => joinNeighbours(this.#words.get(window)!, this.#wordsPerWeight));
    const remainders = parts.flatMap((texts, window) =>
      texts.map((_, i): Remainder => {
        const rest = texts.toSpliced(i, 1).join("");
        // The text begins without white space, with or without its first word.
        const tokens = tokenizer.encode(window === 0 ? rest.trimStart() : rest);
        // In principle, what is left could take more tokens than the whole did.
        return { window, tokens: tokens.slice(0, engine.maxTokens) };
      }),
    );
    const text = { windows: windows.map(tokensOf), logProbs };
    const labels = answers.map(({ best }) => best);
    const weights = await leaveOneOut(engine, text, remainders, labels, this.#options);
    const words = parts.flat();
    return answers.map(({ bestLabel }, head) => ({
      label: bestLabel,
      words: words.map((word, i) => ({ text: word, weight: round(weights[head]![i]!) })),
      words_per_weight: this.#wordsPerWeight,
    }));
  }
}

/**
 * Classifies the texts of events: many in one pass, and where one of them breaks the pass, each alone, so that only
 * that one fails.
 */
import { chooseModel, classifyTexts } from "../classify.ts";
import { Problem } from "../errors.ts";
import type { LoadedModel } from "../loaded-model.ts";
import { planWindows } from "../plan-windows.ts";
import type { ModelStore, RequestScope } from "../store.ts";
import { cleanText } from "../text/clean.ts";
import type { EventAnswer } from "./event-store.ts";

export interface Question {
  model: string | undefined;
  task: string;
}

/** An event's probabilities are listed this far. */
const TOP_K = 5;

/**
 * @returns for each text its answer, or why there is none
 * @throws Problem if there is no such model now
 */
export async function answerTexts(
  store: ModelStore,
  scope: RequestScope,
  { model, task }: Question,
  texts: string[],
): Promise<(EventAnswer | Error)[]> {
  const cleaned = texts.map(cleanText);
  const candidates = await store.candidates(scope, "classification", model);
  // Each by itself: what one text is written in must not choose the model of another.
  const manifests = cleaned.map((text) => chooseModel(candidates, [task], [text]));
  const answers: (EventAnswer | Error)[] = [];
  for (const [manifest, indices] of Map.groupBy(cleaned.keys(), (i) => manifests[i]!)) {
    const lease = await store.acquire(scope, manifest);
    try {
      await lease.enter(1);
      const some = indices.map((i) => cleaned[i]!);
      const found = await answerTogether(lease.model, task, some).catch(() => answerEach(lease.model, task, some));
      for (const [j, i] of indices.entries()) answers[i] = found[j]!;
    } finally {
      lease.release();
    }
  }
  return answers;
}

async function answerTogether(model: LoadedModel<"classification">, task: string, texts: string[]) {
  const { id, version } = model.manifest;
  const options = { tasks: [task], topK: TOP_K, threshold: 0, explain: false, signal: new AbortController().signal };
  const classifications = await classifyTexts(planWindows(texts, model), model, options);
  return classifications.map(({ tasks }): EventAnswer => ({ model: { id, version }, task, answer: tasks[task]! }));
}

async function answerEach(model: LoadedModel<"classification">, task: string, texts: string[]) {
  const answers: (EventAnswer | Error)[] = [];
  for (const text of texts) answers.push(...(await answerTogether(model, task, [text]).catch((e) => [toError(e)])));
  return answers;
}

export function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** Whether it is of no use to try again. */
export function isPermanent(error: Error): boolean {
  return error instanceof Problem && error.kind === "unsupported_language";
}

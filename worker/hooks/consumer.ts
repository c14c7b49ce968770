/**
 * The consumer of the queues. A message only names an event; the hook's object has it, and says whether there is still
 * something to do, so a batch may come twice, or half of it again.
 *
 *   take from the objects → classify all texts of a model together → hand the answers to the objects, acknowledge
 *   → make the first attempts at the deliveries
 *
 * A message is acknowledged once its event is routed, each for itself. One whose event cannot be classified is brought
 * back by the queue; after the last time it comes through the dead-letter queue, and the event is dead.
 */
import type { Env } from "../env.ts";
import { logError } from "../log.ts";
import type { ModelStore, RequestScope } from "../store.ts";
import { answerTexts, isPermanent, type Question, toError } from "./classifier.ts";
import { deliverAll } from "./delivery.ts";
import type { EventAnswer } from "./event-store.ts";
import { type Classified, type HookObject, hookObjectOf, type Work } from "./hook-object.ts";

export interface HookMessage {
  hook: string;
  event: string;
}

/** Its name in wrangler.toml. */
export const DEAD_QUEUE = "edge-slm-hooks-dead";
/** Before a message that failed comes again: doubled each time. */
const RETRY_SECONDS = 5;
const MAX_RETRY_SECONDS = 600;

type Messages = readonly Message<HookMessage>[];

/** What a batch brings for one hook. */
interface Share {
  object: DurableObjectStub<HookObject>;
  messages: Messages;
  question: Question;
  work: Work[];
}

export async function consume(
  batch: MessageBatch<HookMessage>,
  env: Env,
  store: ModelStore,
  scope: RequestScope,
): Promise<void> {
  const byHook = Map.groupBy(batch.messages, ({ body }) => body.hook);
  if (batch.queue === DEAD_QUEUE) {
    await Promise.all([...byHook].map(([hook, messages]) => bury(hookObjectOf(env, hook), messages)));
    return;
  }
  const shares = await Promise.all([...byHook].map(([hook, messages]) => take(hookObjectOf(env, hook), messages)));
  const open = shares.filter((share) => share !== undefined);
  const byQuestion = Map.groupBy(open, ({ question }) => `${question.task}\n${question.model ?? ""}`);
  await Promise.all([...byQuestion.values()].map((group) => process(group, store, scope)));
}

/** @returns undefined if there is nothing to do now */
async function take(object: DurableObjectStub<HookObject>, messages: Messages): Promise<Share | undefined> {
  try {
    const taken = await object.take(messages.map(({ body }) => body.event));
    if (!taken) {
      for (const message of messages) message.ack();
      return undefined;
    }
    const { model, task, work } = taken;
    const waiting = new Set(work.map(({ event }) => event));
    for (const message of messages) if (!waiting.has(message.body.event)) message.ack();
    const open = messages.filter(({ body }) => waiting.has(body.event));
    return open.length === 0 ? undefined : { object, messages: open, question: { model, task }, work };
  } catch (error) {
    logError("hooks: an object does not answer", {}, error);
    for (const message of messages) retry(message);
    return undefined;
  }
}

/** @param shares of hooks that ask the same */
async function process(shares: Share[], store: ModelStore, scope: RequestScope): Promise<void> {
  const worded = shares.flatMap(({ work }) => work).filter(({ text }) => text.trim() !== "");
  const answers = new Map<Work, EventAnswer | Error>();
  if (worded.length > 0) {
    const texts = worded.map(({ text }) => text);
    const found = await answerTexts(store, scope, shares[0]!.question, texts).catch((error) =>
      texts.map(() => toError(error)),
    );
    for (const [i, work] of worded.entries()) answers.set(work, found[i]!);
  }
  await Promise.all(shares.map((share) => finish(share, answers, scope)));
}

/** @param answers none for an event without text */
async function finish(
  { object, messages, work }: Share,
  answers: Map<Work, EventAnswer | Error>,
  { settings }: RequestScope,
): Promise<void> {
  const failures = new Map<string, Error>();
  const results: Classified[] = [];
  for (const item of work) {
    const answer = answers.get(item) ?? null;
    if (answer instanceof Error) failures.set(item.event, answer);
    else results.push({ event: item.event, round: item.round, answer });
  }
  try {
    for (const [event, error] of failures) {
      await object.note(event, error.message);
      if (isPermanent(error)) await object.bury([event]);
    }
    const claims = await object.classified(results);
    for (const message of messages) {
      const error = failures.get(message.body.event);
      if (error && !isPermanent(error)) retry(message);
      else message.ack();
    }
    await deliverAll(object, claims, settings);
  } catch (error) {
    // What was acknowledged stays so; the object's alarm looks after the rest.
    logError("hooks: an object does not answer", {}, error);
    for (const message of messages) retry(message);
  }
}

function retry(message: Message<HookMessage>): void {
  message.retry({ delaySeconds: Math.min(RETRY_SECONDS * 2 ** (message.attempts - 1), MAX_RETRY_SECONDS) });
}

async function bury(object: DurableObjectStub<HookObject>, messages: Messages): Promise<void> {
  try {
    await object.bury(messages.map(({ body }) => body.event));
    for (const message of messages) message.ack();
  } catch (error) {
    logError("hooks: an object does not answer", {}, error);
    for (const message of messages) retry(message);
  }
}

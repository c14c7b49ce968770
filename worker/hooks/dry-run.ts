/** What a hook would do with a payload: text, classification, rule, and the delivery's body. Nothing is kept or sent. */
import type { ModelStore, RequestScope } from "../store.ts";
import { answerTexts } from "./classifier.ts";
import { refuseUrl } from "./destination.ts";
import type { Hook } from "./hook.ts";
import { deliveryBody, describeAnswer } from "./payload.ts";
import { matchRule } from "./rules.ts";
import { extractText } from "./text.ts";

/** What of a hook decides. */
export type DryHook = Pick<Hook, "id" | "source" | "text" | "model" | "task" | "rules">;

/** What of a payload is classified. */
export function dryRunText(hook: Pick<Hook, "text">, payload: unknown, { settings }: RequestScope): string {
  return extractText(payload, hook.text).slice(0, settings.maxCharacters);
}

/** @throws Problem of the model, or unsupported_language */
export async function dryRun(hook: DryHook, payload: unknown, store: ModelStore, scope: RequestScope) {
  const text = dryRunText(hook, payload, scope);
  const question = { model: hook.model, task: hook.task };
  const [answer] = text.trim() === "" ? [] : await answerTexts(store, scope, question, [text]);
  if (answer instanceof Error) throw answer;
  const rule = matchRule(hook.rules, answer?.answer);
  const matched = rule === undefined ? undefined : hook.rules[rule]!;
  const row = {
    id: "evt_dry_run",
    sender_id: null,
    type: null,
    received_ms: Date.now(),
    payload: JSON.stringify(payload),
    is_json: 1,
    answer: answer ? JSON.stringify(answer) : null,
    rule: rule ?? null,
  };
  const destination = matched?.action === "deliver" ? matched.destination : null;
  return {
    text,
    classification: describeAnswer(row.answer),
    rule: row.rule,
    action: matched?.action ?? ("store" as const),
    destination,
    refusal: destination === null ? null : (refuseUrl(destination, scope.settings) ?? null),
    body: destination === null ? null : deliveryBody(hook, row),
  };
}

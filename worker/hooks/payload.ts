/** What a destination gets: the event with its classification, in the form that Standard Webhooks recommends. */
import type { EventAnswer, EventRow } from "./event-store.ts";
import type { Hook } from "./hook.ts";

export const DELIVERY_TYPE = "event.classified";

export type PayloadRow = Pick<
  EventRow,
  "id" | "sender_id" | "type" | "received_ms" | "payload" | "is_json" | "answer" | "rule"
>;

/**
 * @returns JSON, the same at each attempt. The sender's JSON is put in as it came: parsing it would change large
 * numbers and the order of keys.
 */
export function deliveryBody(hook: Pick<Hook, "id" | "source">, row: PayloadRow): string {
  const envelope = {
    type: DELIVERY_TYPE,
    timestamp: new Date(row.received_ms).toISOString(),
    data: {
      hook: hook.id,
      event: row.id,
      source: { kind: hook.source.kind, id: row.sender_id, type: row.type },
      classification: describeAnswer(row.answer),
      rule: row.rule,
    },
  };
  const payload = row.is_json ? row.payload : JSON.stringify(row.payload);
  return `${JSON.stringify(envelope).slice(0, -2)},"payload":${payload}}}`;
}

/** @param answer JSON of an EventAnswer */
export function describeAnswer(answer: string | null) {
  if (answer === null) return null;
  const { model, task, answer: found } = JSON.parse(answer) as EventAnswer;
  const [best] = found.labels;
  return { model, task, label: best?.label ?? null, probability: best?.probability ?? null, labels: found.labels };
}

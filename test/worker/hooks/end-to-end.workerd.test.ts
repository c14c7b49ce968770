import { Webhook } from "standardwebhooks";
import { beforeAll, describe, expect, it } from "vitest";
import golden from "../../fixtures/tiny-classifier/golden.json";
import { putClassifier } from "../harness.ts";
import {
  createHook,
  eventWith,
  listEvents,
  newPlace,
  post,
  readEvent,
  send,
  standardRequest,
  until,
} from "./harness.ts";

const { text, labels } = golden.find((entry) => entry.labels[1] === "delivery")!;
const topic = labels[2]!;

beforeAll(async () => {
  await putClassifier("tiny");
});

describe("an event on its way", () => {
  it("is verified, classified, routed and delivered, signed", async () => {
    const place = newPlace();
    const created = await createHook({
      rules: [{ label: topic, action: "deliver", destination: place.url }, { action: "drop" }],
      pass_headers: ["X-Trace"],
    });
    const body = `{"type":"ticket.created","timestamp":"2026-11-24T12:00:00Z","data":{"number":12345678901234567890,"text":${JSON.stringify(text)}}}`;
    const signed = standardRequest(created.secret, body, "msg_1");
    const response = await post(created.hook.url, { ...signed, headers: { ...signed.headers, "x-trace": "abc" } });
    expect(response.status).toBe(202);
    const { event } = (await response.json()) as { event: string };
    const view = await eventWith(created.hook.id, event, "delivered");
    expect(view).toMatchObject({
      sender_id: "msg_1",
      type: "ticket.created",
      rule: 0,
      attempts: 1,
      destination: place.url,
      classification: { label: topic, task: "topic" },
    });
    const [delivery, ...more] = await place.deliveries();
    expect(more).toEqual([]);
    expect(delivery!.headers).toMatchObject({
      "webhook-id": event,
      "x-trace": "abc",
      "content-type": "application/json",
    });
    const { url, signing_secret } = created.destinations[0]!;
    expect(url).toBe(place.url);
    const verified = new Webhook(signing_secret).verify(delivery!.body, delivery!.headers);
    expect(verified).toMatchObject({
      type: "event.classified",
      data: { hook: created.hook.id, event, source: { kind: "standard", id: "msg_1", type: "ticket.created" } },
    });
    expect(delivery!.body).toContain(`"payload":${body}}`);
    expect((await readEvent(created.hook.id, event)).attempts).toMatchObject([
      { attempt: 1, status: 204, error: null },
    ]);
  });

  it("comes once, however often it is sent", async () => {
    const place = newPlace();
    const created = await createHook({ rules: [{ action: "deliver", destination: place.url }] });
    const first = await send(created, { data: { text } }, "msg_same");
    expect(await send(created, { data: { text } }, "msg_same")).toBe(first);
    await eventWith(created.hook.id, first, "delivered");
    expect(await send(created, { data: { text } }, "msg_same")).toBe(first);
    expect((await listEvents(created.hook.id)).events).toHaveLength(1);
    await until(async () => (await place.deliveries()).length === 1, "one delivery");
  });
});

/** What a knowledge base does not know goes to its webhook, signed, at least once, to where hooks may deliver. */
import { Webhook } from "standardwebhooks";
import { beforeAll, expect, it } from "vitest";
import { problemOf, putEmbedder } from "../harness.ts";
import { newPlace, until } from "../hooks/harness.ts";
import { answer, makeBase, operate, put } from "./harness.ts";

const PAIR = { id: "hours", question: "When are you open?", answer: "From nine to six." };

beforeAll(async () => {
  await putEmbedder("embed-en");
});

async function baseWith(url: string): Promise<{ id: string; secret: string }> {
  const id = await makeBase();
  const response = await operate("PUT", `/${id}`, { handoff_webhook: url, threshold: 1 });
  const { signing_secret } = (await response.json()) as { signing_secret: string };
  await put(id, { entries: [PAIR] });
  return { id, secret: signing_secret };
}

it("delivers the question with what was found, signed, and again until it is taken", async () => {
  const place = newPlace();
  await place.plan({ status: 500 }, { status: 204 });
  const { id, secret } = await baseWith(place.url);
  const history = [{ role: "user", content: "Hello." }];
  expect((await answer(id, "Where is the dentist?", { history })).handoff).toBe(true);
  const deliveries = await until(async () => {
    const all = await place.deliveries();
    return all.length === 2 ? all : undefined;
  }, "two deliveries");
  expect(deliveries[0]!.headers["webhook-id"]).toBe(deliveries[1]!.headers["webhook-id"]);
  for (const { body, headers } of deliveries) {
    expect(new Webhook(secret).verify(body, headers)).toMatchObject({
      type: "handoff",
      data: {
        question: "Where is the dentist?",
        history,
        reason: "below_threshold",
        alternatives: [{ answer: "From nine to six.", source: { entry: "hours" } }],
      },
    });
  }
});

it("tells nobody of what it knows, or without a webhook", async () => {
  const place = newPlace();
  const { id } = await baseWith(place.url);
  await answer(id, "When are you open?", { threshold: 0 });
  await operate("PUT", `/${id}`, {});
  expect((await answer(id, "Where is it?", { threshold: 1 })).handoff).toBe(true);
  expect(await place.deliveries()).toEqual([]);
});

it("refuses a webhook in a private network, and keeps the secret over changes", async () => {
  const place = newPlace();
  const { id, secret } = await baseWith(place.url);
  expect((await problemOf(await operate("PUT", `/${id}`, { handoff_webhook: "https://192.168.0.1/" }))).type).toMatch(
    /invalid_webhook/,
  );
  const again = await operate("PUT", `/${id}`, { name: "Other", handoff_webhook: place.url });
  expect(((await again.json()) as { signing_secret: string }).signing_secret).toBe(secret);
});

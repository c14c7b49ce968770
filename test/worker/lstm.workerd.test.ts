/** A classifier of long short-term memories behind the same route as any other. */
import { beforeAll, expect, it } from "vitest";
import golden from "../fixtures/tiny-lstm/golden.json";
import { type ClassifyAnswer, makeClient, putClassifier, putLstm } from "./harness.ts";

const client = makeClient();

async function classifyText(text: string, options: object = {}): Promise<ClassifyAnswer["classifications"][number]> {
  const response = await client.classify({ text, model: "lstm", ...options });
  expect(response.status).toBe(200);
  return ((await response.json()) as ClassifyAnswer).classifications[0]!;
}

beforeAll(async () => {
  await putLstm("lstm");
  await putClassifier("encoder");
});

it("POST /v1/classify answers as the golden file does", async () => {
  for (const { text, labels, log_probs } of golden.filter((entry) => entry.text !== "")) {
    const { tasks } = await classifyText(text);
    expect([tasks.sentiment!.label, tasks.topic!.label]).toEqual(labels);
    const probability = Math.exp(Math.max(...log_probs[1]!));
    expect(tasks.topic!.labels[0]!.probability).toBeCloseTo(probability, 6);
  }
});

it("reads a long text in windows, and explains", async () => {
  const { windows, tasks } = await classifyText("stones in the sand. ".repeat(12), { task: "topic", explain: true });
  expect(windows).toBeGreaterThan(1);
  const words = tasks.topic!.explanation!.words;
  expect(words).toHaveLength(48);
  expect(words.some(({ weight }) => Math.abs(weight) > 0.1)).toBe(true);
});

it("GET /v1/models names its sizes", async () => {
  const { models } = (await (await client.request("/v1/models")).json()) as { models: { id: string; size: object }[] };
  const { size } = models.find(({ id }) => id === "lstm")!;
  expect(size).toMatchObject({ d_model: 32, n_enc_layers: 1, max_seq_len: 48 });
});

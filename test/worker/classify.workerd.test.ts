import { beforeAll, describe, expect, it } from "vitest";
import golden from "../fixtures/tiny-classifier/golden.json";
import {
  bucket,
  type ClassifyAnswer,
  classifierConfig,
  makeClient,
  problemOf,
  putClassifier,
  putModel,
  type TaskAnswer,
} from "./harness.ts";

const client = makeClient();
const scopeless = golden.find(({ labels }) => labels[1] === "out_of_scope")!;
const ordinary = golden.find(({ labels }) => labels[1] === "delivery")!;

async function answer(body: object): Promise<ClassifyAnswer> {
  const response = await client.classify(body);
  expect(response.status).toBe(200);
  return (await response.json()) as ClassifyAnswer;
}

async function classifyText(text: string, options: object = {}): Promise<ClassifyAnswer["classifications"][number]> {
  return (await answer({ text, ...options })).classifications[0]!;
}

let version: string;
beforeAll(async () => {
  version = (await putClassifier("tiny")).version;
});

describe("POST /v1/classify", () => {
  it("answers all tasks with labels, most probable first", async () => {
    const { model, classifications, timing } = await answer({ text: ordinary.text, top_k: 1000 });
    expect(model).toEqual({ id: "tiny", version });
    expect(classifications).toHaveLength(1);
    const { tasks, tokens, windows } = classifications[0]!;
    expect({ tokens, windows }).toEqual({ tokens: ordinary.tokens.length, windows: 1 });
    expect(Object.keys(tasks)).toEqual(["sentiment", "intent", "topic"]);
    for (const [i, { name, labels }] of classifierConfig.heads.entries()) {
      const task = tasks[name]!;
      expect(task).toMatchObject({ label: ordinary.labels[i], reason: null });
      const expected = ordinary.log_probs[i]!.map((logProb, j) => ({
        label: labels[j]!,
        probability: Math.round(1e6 * Math.exp(logProb)) / 1e6,
      }));
      expect(task.labels).toEqual(expected.sort((a, b) => b.probability - a.probability));
    }
    expect(Object.values(timing).every((ms) => ms >= 0)).toBe(true);
  });

  it("answers the tasks that are asked for, in that order", async () => {
    expect(Object.keys((await classifyText("one", { task: "topic" })).tasks)).toEqual(["topic"]);
    const { tasks } = await classifyText("one", { task: ["intent", "sentiment", "intent"] });
    expect(Object.keys(tasks)).toEqual(["intent", "sentiment"]);
    expect((await classifyText("one")).tasks).toMatchObject(tasks);
  });

  it("lists five labels of a task, or as many as it is told", async () => {
    expect((await classifyText("one")).tasks.topic!.labels).toHaveLength(5);
    expect((await classifyText("one", { top_k: 1 })).tasks.topic!.labels).toHaveLength(1);
  });

  it("classifies several texts in their order, each as if alone", async () => {
    const text = golden.map((entry) => entry.text);
    const { classifications } = await answer({ text });
    for (const [i, entry] of golden.entries()) {
      expect(classifications[i]).toEqual(await classifyText(entry.text));
      if (entry.text !== "") expect(classifications[i]!.tasks.topic!.label).toBe(entry.labels[2]);
    }
  });

  it("has no label for a text that is out of scope, and says so", async () => {
    const { intent } = (await classifyText(scopeless.text)).tasks;
    expect(intent).toMatchObject({ label: null, reason: "out_of_scope" });
    expect(intent!.labels[0]!.label).toBe("out_of_scope");
  });

  it("has no label for one less probable than the threshold", async () => {
    const { sentiment } = (await classifyText("one")).tasks;
    const { probability } = sentiment!.labels[0]!;
    const at = async (threshold: number) => (await classifyText("one", { threshold })).tasks.sentiment;
    expect(await at(probability - 1e-5)).toEqual(sentiment);
    expect(await at(probability + 1e-5)).toEqual({ ...sentiment, label: null, reason: "below_threshold" });
  });

  it.each(["", " \n\t", "\u200B"])("has nothing to say to %j", async (text) => {
    const { tasks, tokens, windows } = await classifyText(text, { explain: true });
    expect({ tokens, windows }).toEqual({ tokens: 0, windows: 0 });
    expect(tasks.topic).toEqual({ label: null, reason: "no_text", labels: [] });
  });

  it.each(["42", "🎉👩‍👩‍👧‍👦", "…!?", "a</s>b", "O\u0000ne \uD800"])("takes %j", async (text) => {
    expect((await classifyText(text)).windows).toBe(1);
  });

  it("is not disturbed by white space around the text, or by how an é was typed", async () => {
    expect(await classifyText("  \n one é \u200B\n")).toEqual(await classifyText("one e\u0301"));
  });

  it("reads a long text in windows, and its answer is that of all of them", async () => {
    const sentences = ["The other one is on the sand.", "A refund is in order.", "There, there, stone."];
    const text = sentences.join(" ");
    const whole = await classifyText(text);
    const parts = await Promise.all(sentences.map((sentence) => classifyText(sentence)));
    expect(whole.windows).toBeGreaterThan(1);
    // This vocabulary spends a token on the space before a capital letter.
    expect(whole.tokens).toBe(parts.reduce((sum, { tokens }) => sum + tokens, 2));
    const probability = ({ labels }: TaskAnswer) => labels.find(({ label }) => label === "positive")!.probability;
    const all = parts.map(({ tasks }) => probability(tasks.sentiment!));
    expect(probability(whole.tasks.sentiment!)).toBeGreaterThan(Math.min(...all));
    expect(probability(whole.tasks.sentiment!)).toBeLessThan(Math.max(...all));
  });

  it("reads as much text as it promises", async () => {
    const { tokens, windows } = await classifyText("A dog runs. ".repeat(1_666));
    expect(tokens).toBeGreaterThan(15_000);
    expect(windows).toBeGreaterThanOrEqual(tokens / 47);
    expect((await classifyText("x".repeat(20_000))).windows).toBeGreaterThan(400);
    expect((await answer({ text: Array(64).fill("A dog runs.") })).classifications).toHaveLength(64);
  });

  it("answers a short request while long ones are computed", async () => {
    const text = "A dog runs. ".repeat(1_600);
    const order: string[] = [];
    const long = Array.from({ length: 3 }, () => answer({ text, explain: true }).then(() => order.push("long")));
    await scheduler.wait(10);
    await answer({ text: "One." });
    order.push("short");
    await Promise.all(long);
    expect(order).toEqual(["short", "long", "long", "long"]);
  });

  it("stops when the client goes away", async () => {
    const abort = new AbortController();
    const pending = client.request("/v1/classify", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ text: "A dog runs. ".repeat(1_600), explain: true }),
      signal: abort.signal,
    });
    // Before the first step: all steps of so small a model may fit between two turns of the event loop.
    abort.abort();
    expect((await pending).status).toBe(499);
  });
});

describe("explain: true", () => {
  it("gives each word a weight, and the words are the text", async () => {
    const text = "Do not send another stone, ever!";
    const { tasks } = await classifyText(text, { explain: true });
    const plain = await classifyText(text);
    for (const [name, { explanation, ...rest }] of Object.entries(tasks)) {
      expect(rest).toEqual(plain.tasks[name]);
      expect(explanation!.label).toBe(rest.labels[0]!.label);
      expect(explanation!.words.map((word) => word.text)).toEqual([
        "Do",
        " not",
        " send",
        " another",
        " stone,",
        " ever!",
      ]);
      expect(explanation!.words_per_weight).toBe(1);
    }
  });

  it("weighs a word by what the answer is without it", async () => {
    const { explanation } = (await classifyText("the red stone", { explain: true })).tasks.sentiment!;
    const oddsOf = async (text: string) => {
      const { labels } = (await classifyText(text)).tasks.sentiment!;
      const { probability } = labels.find(({ label }) => label === explanation!.label)!;
      return Math.log(probability / (1 - probability));
    };
    const whole = await oddsOf("the red stone");
    for (const [i, rest] of ["red stone", "the stone", "the red"].entries()) {
      expect(explanation!.words[i]!.weight).toBeCloseTo(whole - (await oddsOf(rest)), 3);
    }
  });

  it("explains a label that the answer does not give", async () => {
    const { intent } = (await classifyText(scopeless.text, { explain: true })).tasks;
    expect(intent).toMatchObject({ label: null, explanation: { label: "out_of_scope" } });
  });

  it("explains every window of a long text", async () => {
    const text = "The other one is on the sand. A refund is in order. There, there, stone.";
    const { tasks, windows } = await classifyText(text, { explain: true });
    expect(windows).toBeGreaterThan(1);
    const { words } = tasks.intent!.explanation!;
    expect(words).toHaveLength(15);
    expect(words.map((word) => word.text).join("")).toBe(text);
    expect(words.filter(({ weight }) => weight !== 0).length).toBeGreaterThan(12);
  });

  it("leaves neighbours out together where there are too many words", async () => {
    const text = "A dog runs. ".repeat(1_600);
    const { explanation } = (await classifyText(text, { explain: true, task: "topic" })).tasks.topic!;
    expect(explanation!.words_per_weight).toBeGreaterThan(1);
    expect(explanation!.words.length).toBeLessThan(4_800);
    expect(explanation!.words.map((word) => word.text).join("")).toBe(text.trim());
  });
});

describe("a problem says what was expected", () => {
  it.each([
    ["no text", {}, "#/text: expected a string or a list"],
    ["a list without texts", { text: [] }, "#/text"],
    ["a task of a wrong type", { text: "a", task: 1 }, "#/task: expected a task's name or a list"],
    ["no label", { text: "a", top_k: 0 }, "#/top_k: "],
    ["a threshold above 1", { text: "a", threshold: 1.1 }, "#/threshold: "],
    ["a misspelt member", { text: "a", tasks: "topic" }, "tasks"],
  ])("400 for %s", async (_, body, detail) => {
    const response = await client.classify(body);
    expect(response.status).toBe(400);
    expect((await problemOf(response)).detail).toContain(detail);
  });

  it("413 for too many texts, and for too long ones", async () => {
    expect((await client.classify({ text: Array(65).fill("One.") })).status).toBe(413);
    expect((await client.classify({ text: "A dog runs. ".repeat(2_000) })).status).toBe(413);
  });

  it("422 for an unknown task, naming those that are known", async () => {
    for (const body of [{ task: "weather" }, { task: ["topic", "weather"], model: "tiny" }]) {
      const response = await client.classify({ text: "One.", ...body });
      expect(response.status).toBe(422);
      expect(await problemOf(response)).toMatchObject({
        type: "urn:edge-slm:problem:unsupported_task",
        models: [{ model: "tiny", tasks: ["sentiment", "intent", "topic"] }],
        detail: expect.stringContaining("weather"),
      });
    }
  });

  it("422 for a text of another script", async () => {
    const response = await client.classify({ text: ["One.", "Привет, мир"] });
    expect(response.status).toBe(422);
    expect(await problemOf(response)).toMatchObject({
      type: "urn:edge-slm:problem:unsupported_language",
      text: 1,
      scripts: ["Latin"],
    });
  });
});

describe("among several models", () => {
  beforeAll(async () => {
    await putModel("de");
  });

  it("answers the model that is asked for, and the task that it has", async () => {
    const response = await makeClient().classify({ text: "One.", model: "de" });
    expect(response.status).toBe(404);
    expect(await problemOf(response)).toMatchObject({
      models: ["tiny"],
      detail: expect.stringContaining("which is for translation"),
    });
    const other = await makeClient().translate({ text: "One.", model: "tiny" });
    expect(other.status).toBe(404);
    expect(await problemOf(other)).toMatchObject({ models: ["de"] });
    expect((await makeClient().translate({ text: "One." })).status).toBe(200);
  });

  it("chooses by tasks, then by script, then by how much it knows", async () => {
    await putClassifier("another", { config: { heads: classifierConfig.heads.slice(0, 1) } });
    await putClassifier("chinese", { config: { heads: classifierConfig.heads.slice(0, 2), source_scripts: ["Han"] } });
    const fresh = makeClient();
    const modelOf = async (body: object) => {
      const response = await fresh.classify(body);
      return response.status === 200 ? ((await response.json()) as ClassifyAnswer).model.id : response.status;
    };
    expect(await modelOf({ text: "One." })).toBe("tiny");
    expect(await modelOf({ text: "你好，世界。" })).toBe("chinese");
    expect(await modelOf({ text: "你好，世界。", task: "topic" })).toBe(422);
    expect(await modelOf({ text: "One.", model: "chinese" })).toBe(422);
  });

  it("lists them all with what they know", async () => {
    const response = await makeClient().request("/v1/models");
    const { models } = (await response.json()) as { models: { id: string; task: string }[] };
    expect(models.find(({ id }) => id === "tiny")).toEqual(
      expect.objectContaining({
        task: "classification",
        version,
        heads: classifierConfig.heads.map(({ name, labels, out_of_scope }) => ({ name, labels, out_of_scope })),
        size: expect.objectContaining({ n_enc_layers: 2, max_seq_len: 48, parameters: expect.any(Number) }),
      }),
    );
    expect(models.find(({ id }) => id === "de")).toMatchObject({ task: "translation", target_languages: ["de"] });
  });

  it("503 if there is none for the task", async () => {
    const { objects } = await bucket.list();
    await bucket.delete(objects.map(({ key }) => key));
    await putModel("de");
    const response = await makeClient().classify({ text: "One." });
    expect(response.status).toBe(503);
    expect((await problemOf(response)).detail).toContain("no model for classification; run npm run upload");
  });

  it("loads a model anew that became one for another task", async () => {
    await putClassifier("changing");
    const changing = makeClient({ MODEL_TTL_SECONDS: 0 });
    expect((await changing.classify({ text: "One.", model: "changing" })).status).toBe(200);
    await putModel("changing");
    // The first request still goes by the catalogue that was read before.
    await changing.request("/v1/models");
    expect((await changing.translate({ text: "One.", model: "changing" })).status).toBe(200);
    expect((await changing.classify({ text: "One.", model: "changing" })).status).toBe(404);
  });

  it("takes for out of scope what is less probable than the head's own threshold", async () => {
    const { intent } = (await classifyText(ordinary.text)).tasks;
    const { probability } = intent!.labels[0]!;
    const heads = (below: number) =>
      classifierConfig.heads.map((head) => (head.name === "intent" ? { ...head, out_of_scope_below: below } : head));
    await putClassifier("lenient", { config: { heads: heads(probability - 1e-5) } });
    await putClassifier("strict", { config: { heads: heads(probability + 1e-5) } });
    const fresh = makeClient();
    const of = async (model: string) => {
      const response = await fresh.classify({ text: ordinary.text, model });
      return ((await response.json()) as ClassifyAnswer).classifications[0]!.tasks.intent;
    };
    expect(await of("lenient")).toEqual(intent);
    expect(await of("strict")).toEqual({ ...intent, label: null, reason: "out_of_scope" });
  });
});

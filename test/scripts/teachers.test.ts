import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readTaught, writeTaught } from "../../scripts/data/taught.ts";
import {
  askAll,
  crossFit,
  drawLabels,
  linearTeacher,
  modelTeacher,
  sentencesOf,
  type Teacher,
} from "../../scripts/train/teachers.ts";

const sure = (label: number, name = "sure"): Teacher => ({
  name,
  ask: async (texts) => texts.map(() => Float64Array.from([0, 1], (i) => Math.log(i === label ? 0.9 : 0.1))),
});

test("sentences: each once, none that stands elsewhere, none too short", () => {
  const texts = [
    "A film that never ends. Too long!\nThe actors do what they can.",
    "The actors DO what they can. I would see this one again.",
  ];
  const others = [{ text: "i would see this one again", label: "positive" }];
  expect(sentencesOf(texts, "en", others).sort()).toEqual(["A film that never ends.", "The actors do what they can."]);
});

test("labels are drawn as often as the teachers think them right", async () => {
  const texts = Array.from({ length: 4000 }, (_, i) => `text ${i}`);
  const teachers = [sure(0), sure(0)];
  // On what is known they are right in 9 of 10, so they stay as sure as they are.
  const expected = Array.from({ length: 1000 }, (_, i) => (i % 10 === 0 ? 1 : 0));
  const known = await askAll(teachers, expected.map(String));
  const { drawn } = await drawLabels(teachers, texts, known, expected);
  const share = drawn.filter((label) => label === 0).length / drawn.length;
  expect(Math.abs(share - 0.9)).toBeLessThan(0.02);
  expect((await drawLabels(teachers, texts, known, expected)).drawn).toEqual(drawn);
});

test("teachers that are right more often than they say become surer", async () => {
  const teachers = [sure(0), sure(0)];
  const expected = Array.from({ length: 200 }, (_, i) => (i % 100 === 0 ? 1 : 0));
  const known = await askAll(teachers, expected.map(String));
  const { sure: count } = await drawLabels(teachers, ["one", "two"], known, expected);
  expect(count).toBe(2);
});

test("a linear model teaches what it was taught", async () => {
  const labelled = Array.from({ length: 60 }, (_, i) => ({
    text: i % 2 === 0 ? `good fine great ${i % 7}` : `bad poor awful ${i % 7}`,
    label: i % 2 === 0 ? "positive" : "negative",
  }));
  const teacher = linearTeacher(labelled, labelled.slice(0, 20), "en");
  const [good, bad] = await teacher.ask(["a great one", "an awful one"]);
  expect(good![1]).toBeGreaterThan(good![0]!);
  expect(bad![0]).toBeGreaterThan(bad![1]!);
});

test("a model without the head is refused", async () => {
  await expect(modelTeacher("multitask-en", "sentiment", ["good", "bad"])).rejects.toThrow(
    /to have sentiment with good, bad/,
  );
});

test("taught texts come back; where there are none, the error names the command", async () => {
  const folder = await mkdtemp(join(tmpdir(), "edge-slm-taught-"));
  try {
    const texts = [{ text: "Zwei\nZeilen", label: "positive" }];
    await writeTaught("mood", texts, folder);
    expect(await readTaught("mood", folder)).toEqual(texts);
    await expect(readTaught("other", folder)).rejects.toThrow(/teach.ts --task other/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("own texts get the labels that others of their kind have", () => {
  const kinds = ["negative", "positive"];
  // In every tenth text somebody took the one for the other.
  const labelled = (count: number, wrong: number) =>
    Array.from({ length: count }, (_, i) => ({
      text: `${kinds[i % 2]} words ${i % 7} of text ${i}`,
      label: kinds[(i + Number(i % 10 < wrong)) % 2]!,
    }));
  const train = labelled(400, 1);
  const drawn = crossFit({ train, dev: labelled(100, 1) }, "en", { folds: 4, draws: 3 });
  expect(drawn.length).toBe(3 * 400);
  expect(new Set(drawn.map(({ text }) => text)).size).toBe(400);
  // Those that were taken wrongly no longer say so, but now and then any of them does.
  const share = drawn.filter(({ text, label }) => text.startsWith(label!)).length / drawn.length;
  expect(share).toBeGreaterThan(0.8);
  expect(share).toBeLessThan(0.98);
});

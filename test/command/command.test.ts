import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import golden from "../fixtures/tiny/golden.json" with { type: "json" };

const launcher = fileURLToPath(new URL("../../scripts/edge-slm.mjs", import.meta.url));
const fixture = (id: string) => fileURLToPath(new URL(`../fixtures/${id}`, import.meta.url));
const tiny = ["--model", fixture("tiny"), "--source", "en"];
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "edge-slm-command-"));
});
afterAll(() => rm(directory, { recursive: true }));

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** @param closeAfter ends the reader of the output once so many characters came */
function run(args: string[], input?: string | Uint8Array, closeAfter = Infinity): Promise<Ended> {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [launcher, ...args], { stdio: ["pipe", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      if (stdout.length > closeAfter) child.stdout.destroy();
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    // It may end without reading all of its input.
    child.stdin.on("error", () => {});
    child.stdin.end(input ?? "");
    child.on("error", failed);
    child.on("close", (code) => done({ code, stdout, stderr }));
  });
}

describe("edge-slm translate", () => {
  it("translates its arguments, in their order", async () => {
    expect(await run(["translate", ...tiny, golden.text, "42"])).toEqual({
      code: 0,
      stdout: `${golden.translation}\n42\n`,
      stderr: "",
    });
  });

  it("keeps the order of lines, and loses none for a bad one", async () => {
    const input = Buffer.concat([
      Buffer.from(`${golden.text}\r\n\nПривет, мир\nf`),
      Buffer.from([0xfc]),
      Buffer.from(`r\n42\n${golden.text}`),
    ]);
    const { code, stdout, stderr } = await run(["translate", ...tiny], input);
    expect(stdout).toBe(`${golden.translation}\n\n\n\n42\n${golden.translation}\n`);
    expect(stderr.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/^standard input, line 3: expected Latin letters/),
      expect.stringMatching(/^standard input, line 4: expected text in UTF-8/),
    ]);
    expect(code).toBe(1);
  });

  it("translates the text files of a folder into another, and says which are none", async () => {
    const input = join(directory, "in");
    await mkdir(join(input, "below"), { recursive: true });
    await writeFile(join(input, "a.txt"), `${golden.text}\n`);
    await writeFile(join(input, "below", "b.txt"), "42");
    await writeFile(join(input, "c.bin"), Buffer.from([0, 1, 2]));
    await writeFile(join(input, "d.txt"), "");
    await writeFile(join(input, ".hidden"), "7");
    const output = join(directory, "out");
    const { code, stdout, stderr } = await run(["translate", ...tiny, "--in", input, "--out", output]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(
      /c\.bin: expected text in UTF-8, it is binary[^\n]*\n.*d\.txt: expected text, it is empty\n$/,
    );
    expect((await readdir(output, { recursive: true })).sort()).toEqual(["a.txt", "below", join("below", "b.txt")]);
    expect(await readFile(join(output, "a.txt"), "utf8")).toBe(`${golden.translation}\n`);
    expect(await readFile(join(output, "below", "b.txt"), "utf8")).toBe("42\n");
  });

  it("writes JSON lines with their place", async () => {
    const file = join(directory, "lines.txt");
    await writeFile(file, `${golden.text}\nПривет\n`);
    const { stdout } = await run(["translate", ...tiny, "--in", file, "--json"]);
    const [first, second] = stdout.trimEnd().split("\n");
    expect(JSON.parse(first!)).toMatchObject({ file, line: 1, text: golden.text, translation: golden.translation });
    expect(JSON.parse(second!)).toMatchObject({ file, line: 2, text: "Привет", error: expect.any(String) });
  });

  it("ends without a word when its reader does", async () => {
    const { code, stderr } = await run(["translate", ...tiny, "--beam", "1"], "One.\n".repeat(3000), 100);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });

  it.each([
    [["--in", "nowhere.txt"], /^nowhere\.txt: expected a file or a folder, there is none\n$/],
    [["--target", "fr"], /^expected languages of en → de; got en → fr\n$/],
    [["--in", fixture("tiny/model.safetensors")], /it is binary or in UTF-16/],
    [["--in", ".", "text"], /^expected texts or --in, got both\n$/],
    [["--beam", "0"], /expected a whole number from 1 on/],
  ])("says in one line what is wrong with %j", async (args, message) => {
    const { code, stdout, stderr } = await run(["translate", ...tiny, ...args]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });
});

describe("edge-slm classify", () => {
  const model = ["--model", fixture("tiny-classifier")];

  it("prints a label a line, or one of each task", async () => {
    const one = await run(["classify", ...model, "--task", "sentiment"], "It is good.\n\nIt is bad.\n");
    expect(one.code).toBe(0);
    expect(one.stdout).toMatch(/^(positive|negative)\nno_text\n(positive|negative)\n$/);
    const all = await run(["classify", ...model, "It is good."]);
    expect(all.stdout).toMatch(/^sentiment=\w+\tintent=\w+\ttopic=topic \d+\n$/);
  });

  it("says what tasks there are", async () => {
    const { code, stderr } = await run(["classify", ...model, "--task", "weather", "a"]);
    expect(code).toBe(1);
    expect(stderr).toBe("task: expected sentiment, intent, topic of model tiny-classifier; got weather\n");
  });
});

describe("edge-slm embed", () => {
  it("prints a vector a line, the same as the engine's", async () => {
    const golden = JSON.parse(await readFile(join(fixture("tiny-embedder"), "golden.json"), "utf8")) as {
      text: string;
      vector: number[];
    }[];
    const { text, vector } = golden[0]!;
    const { code, stdout } = await run(["embed", "--model", fixture("tiny-embedder"), "--json", text, "Привет"]);
    const [first, second] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(first.embedding).toEqual(vector.map((value) => Number(value.toFixed(6))));
    expect(second.error).toMatch(/expected Latin letters/);
    expect(code).toBe(1);
  });
});

describe("edge-slm answer --knowledge", () => {
  const answer = (file: string, ...questions: string[]) =>
    run(["answer", "--model", fixture("tiny-embedder"), "--threshold", "0", "--knowledge", file, ...questions]);

  it("answers from a table, and names the rows that are none", async () => {
    const file = join(directory, "faq.csv");
    await writeFile(
      file,
      "question,answer\nWhen are you open?,From nine to six.\nWhere is my card?,In the post.\nNo answer?,\n",
    );
    const { code, stdout, stderr } = await answer(file, "Where is my card?", "When are you open?");
    expect(stdout).toBe("In the post.\nFrom nine to six.\n");
    expect(stderr).toMatch(/faq\.csv, line 4: expected question and answer/);
    expect(code).toBe(0);
  });

  it("says what is wrong with the file, or with the options", async () => {
    const empty = join(directory, "empty.md");
    await writeFile(empty, "\n");
    expect((await answer(empty, "a")).stderr).toMatch(/expected an entry that can be answered from, got none/);
    expect((await answer(join(directory, "faq.txt"), "a")).stderr).toMatch(/expected a file .csv, .jsonl, .json, .md/);
    expect((await answer(join(directory, "none.csv"), "a")).stderr).toMatch(/cannot read/);
    expect((await run(["answer", "a"])).stderr).toMatch(/expected either --context or --knowledge/);
  });
});

describe("edge-slm answer", () => {
  const reader = ["answer", "--model", fixture("tiny-reader")];

  it("answers each question with a part of the file, or says that there is none", async () => {
    const context = "The rare stone\r\nis in the sand 😀.";
    const path = join(directory, "context.txt");
    await writeFile(path, context);
    const sure = await run([...reader, "--context", path, "--threshold", "0", "--json", "Where is it?", ""]);
    expect(sure.code).toBe(0);
    const [first, second] = sure.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(first.answer).toBe(context.slice(first.start, first.end));
    expect(first).toMatchObject({ question: "Where is it?", reason: null, model: "tiny-reader" });
    expect(second).toMatchObject({ answer: null, reason: "no_text" });
    const unsure = await run([...reader, "--context", path, "--threshold", "1"], "Where is it?\n");
    expect(unsure).toMatchObject({ code: 0, stdout: "(no answer)\n" });
  });

  it("says what is wrong with its file", async () => {
    const missing = join(directory, "missing.txt");
    expect((await run([...reader, "--context", missing, "Where?"])).stderr).toContain(`cannot read ${missing}`);
    const broken = join(directory, "broken.txt");
    await writeFile(broken, Buffer.from([0x61, 0xff]));
    const { code, stderr } = await run([...reader, "--context", broken, "Where?"]);
    expect(code).toBe(1);
    expect(stderr).toContain("expected text in UTF-8");
  });
});

import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  carve,
  classesOf,
  describeSplits,
  joinTitle,
  type LabelledText,
  separate,
  textKey,
  withCarvedTest,
} from "../../scripts/data/classification.ts";
import { contentDigest } from "../../scripts/data/lines.ts";
import { type RowFile, readRows } from "../../scripts/data/rows.ts";
import { repair } from "../../scripts/data/sets/ag-news.ts";
import { loadClincDomains } from "../../scripts/data/sets/clinc150.ts";
import { CLASSIFICATION_SETS, findClassificationSet } from "../../scripts/data/sets/index.ts";

const ROWS = [
  ["spam", "Win \t now"],
  ["ham", " See you – at 8"],
];
const CLEAN = [
  ["spam", "Win   now"],
  ["ham", "See you – at 8"],
];
const sha256 = contentDigest(CLEAN.map((row) => JSON.stringify(row)));
const readLines = (bytes: Uint8Array) =>
  new TextDecoder()
    .decode(bytes)
    .split("\n")
    .map((line) => line.split("|"));
const FILE: RowFile = {
  mirrorFile: "set/train.tsv.gz",
  fields: 2,
  sha256,
  source: [{ url: "https://example.org/a/train.txt", read: readLines }],
};

const serve = (files: Record<string, string>) =>
  vi.fn(async (url: string | URL | Request) => {
    const file = files[String(url).split("/").at(-1)!];
    return file === undefined ? new Response("", { status: 404 }) : new Response(file);
  });
const GOOD = { "train.txt": ROWS.map((row) => row.join("|")).join("\n") };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "edge-slm-rows-"));
  vi.stubEnv("EDGE_SLM_DATA", undefined);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

async function writeMirror(file: string, lines: string[]): Promise<string> {
  const path = join(folder, "mirror", file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, gzipSync(lines.map((line) => `${line}\n`).join("")));
  return join(folder, "mirror");
}

describe("readRows", () => {
  test("TSV mirror, JSON mirror and public source give the same rows", async () => {
    const dataDir = await writeMirror(
      FILE.mirrorFile,
      CLEAN.map((row) => row.join("\t")),
    );
    expect(await readRows("set", FILE, { dataDir })).toEqual(CLEAN);
    const json = { ...FILE, mirrorFile: "set/train.jsonl.gz", keys: ["label", "text"] };
    await writeMirror(
      json.mirrorFile,
      ROWS.map(([label, text]) => JSON.stringify({ text, id: 7, label })),
    );
    expect(await readRows("set", json, { dataDir })).toEqual(CLEAN);
    expect(await readRows("set", FILE, { cacheDir: folder, fetch: serve(GOOD) })).toEqual(CLEAN);
    expect(await readdir(join(folder, "set"))).toEqual(["train.txt"]);
  });

  test("rows out of several public files are one after another", async () => {
    const [first, second] = GOOD["train.txt"].split("\n") as [string, string];
    const source = ["1.txt", "2.txt"].map((name) => ({ url: `https://example.org/${name}`, read: readLines }));
    const options = { cacheDir: folder, fetch: serve({ "1.txt": first, "2.txt": second }) };
    expect(await readRows("set", { ...FILE, source }, options)).toEqual(CLEAN);
    const wrong = readRows("set", { ...FILE, source: [...source].reverse() }, options);
    await expect(wrong).rejects.toThrow(/set \(delete it to get it again\): expected content with sha256/);
  });

  const refused: [string, () => Promise<unknown>, RegExp][] = [
    [
      "no public file",
      () => readRows("set", { ...FILE, source: "one file a text at example.org" }),
      /^set: expected a mirror with set\/train\.tsv\.gz: one file a text at example\.org; name it with --data or EDGE_SLM_DATA$/,
    ],
    [
      "a mirror without the file",
      () => readRows("set", FILE, { dataDir: folder }),
      /^set: expected the file .*set.train\.tsv\.gz; check --data or EDGE_SLM_DATA$/,
    ],
    [
      "other content than pinned",
      () => readRows("set", FILE, { cacheDir: folder, fetch: serve({ "train.txt": "ham|other" }) }),
      /train\.txt: expected content with sha256 [0-9a-f]{64}, got [0-9a-f]{64} \(1 lines\)$/,
    ],
    [
      "another number of fields",
      async () => readRows("set", FILE, { dataDir: await writeMirror(FILE.mirrorFile, ["spam\ta", "ham"]) }),
      /train\.tsv\.gz, row 2: expected 2 fields, got 1$/,
    ],
    [
      "a JSON line without a key",
      async () =>
        readRows(
          "set",
          { ...FILE, keys: ["label", "text"] },
          { dataDir: await writeMirror(FILE.mirrorFile, ['{"label":"x"}']) },
        ),
      /line 1: expected text as text, got undefined$/,
    ],
  ];
  test.each(refused)("%s is an error of one line, and nothing is kept", async (_, load, message) => {
    const error = await load().catch((e: unknown) => e);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toContain("\n");
    expect(await readdir(join(folder, "set")).catch(() => [])).toEqual([]);
  });
});

const label = (text: string, name: string | null = "a"): LabelledText => ({ text, label: name });

describe("splits", () => {
  test("texts are the same whatever case, spaces and punctuation", () => {
    expect(textKey("It's  OK!")).toBe(textKey("its ok"));
    expect(textKey("Größe：１")).toBe(textKey("größe: 1"));
    expect(textKey("不错，好")).toBe("不错好");
    expect(textKey(" :) ")).toBe(":)");
    expect(textKey("a1")).not.toBe(textKey("a2"));
  });

  test("what stands in test is taken out of dev, what stands in either out of train", () => {
    const { leftOut, ...splits } = separate({
      train: [label("A."), label("b"), label("c"), label("C!", "b"), label("d")],
      dev: [label("a"), label("B")],
      test: [label("A"), label("A")],
    });
    expect(leftOut).toEqual({ train: 2, dev: 1 });
    expect(splits.train.map(({ text }) => text)).toEqual(["c", "C!", "d"]);
    expect(splits.dev.map(({ text }) => text)).toEqual(["B"]);
    expect(splits.test).toHaveLength(2);
    expect(describeSplits({ ...splits, leftOut })).toBe(
      "3 to train on, 1 dev, 2 test; without 2 of train that stand in dev or test and 1 of dev that stand in test",
    );
  });

  test("items may be the same by any of several keys", () => {
    const keys = ({ text }: LabelledText) => text.split("/");
    expect(separate({ train: [label("x/y"), label("z")], dev: [], test: [label("y")] }, keys).train).toEqual([
      label("z"),
    ]);
  });

  test("a carved share is of each class, keeps equal texts together and does not depend on the order", () => {
    const texts = fc.array(fc.record({ text: fc.string({ maxLength: 3 }), label: fc.constantFrom("a", "b", null) }), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(texts, (items) => {
        const { carved, rest } = carve(items, 0.2);
        expect(carved.length + rest.length).toBe(items.length);
        const keys = new Set(carved.map(({ text }) => textKey(text)));
        expect(rest.some(({ text }) => keys.has(textKey(text)))).toBe(false);
        const again = carve([...items].reverse(), 0.2);
        expect(again.carved.reverse()).toEqual(carved);
      }),
    );
  });

  test("a carved share has the size that was asked for", () => {
    const items = Array.from({ length: 1000 }, (_, i) => label(`text ${i}`, i % 10 === 0 ? "rare" : "common"));
    const { carved, rest } = carve(items, 0.1);
    expect(carved.filter((item) => item.label === "rare")).toHaveLength(10);
    expect(carved.filter((item) => item.label === "common")).toHaveLength(90);
    expect(rest).toHaveLength(900);
    // A class of one text stays in train.
    expect(carve([label("only")], 0.9)).toEqual({ carved: [], rest: [label("only")] });
    const { train, dev, test } = withCarvedTest(items);
    expect([train.length, dev.length, test.length]).toEqual([810, 90, 100]);
  });

  test("classes are in alphabetical order, out of scope last", () => {
    expect(classesOf([label("x", null), label("y", "b"), label("z", "a"), label("w", "b")])).toEqual(["a", "b", null]);
    expect(classesOf([label("y", "b")])).toEqual(["b"]);
  });

  test("a title stands above its text", () => {
    expect(joinTitle("Title", "Body")).toBe("Title\nBody");
    expect(joinTitle("", "Body")).toBe("Body");
  });
});

describe("the data sets", () => {
  test("are found by id, and an unknown one lists them", () => {
    expect(findClassificationSet("sst2").language).toBe("en");
    expect(() => findClassificationSet("sst")).toThrow(/^unknown data set sst; expected one of: ag-news, .*thucnews$/);
    expect(new Set(CLASSIFICATION_SETS.map(({ id }) => id)).size).toBe(CLASSIFICATION_SETS.length);
  });

  test.each(CLASSIFICATION_SETS)("$id says where it is from at a commit, and its licence", ({ card, splits }) => {
    expect(card.url).toMatch(/^https:\/\/github\.com\/\S+\/tree\/[0-9a-f]{40}/);
    expect(card.licence).not.toBe("");
    expect(splits).not.toBe("");
  });

  test.each([
    ["the world #39;s &lt;b&gt;best&lt;/b&gt; \\$5 &lt; \\$6", "the world's best $5 < $6"],
    ["a second\\team of  #151; quot;men quot; amp; #8217;", 'a second team of — "men " &’'],
  ])("AG News is repaired: %s", (published, repaired) => {
    expect(repair(published)).toBe(repaired);
  });

  const mirror = process.env.EDGE_SLM_DATA;
  test.skipIf(!mirror)(
    "the mirror holds what is pinned, and no text of test is in train",
    { timeout: 300_000 },
    async () => {
      const sizes: Record<string, number[]> = {};
      // Those of IMDB and 20 Newsgroups take longest, and politics has the latter.
      for (const set of CLASSIFICATION_SETS.filter(({ id }) => id !== "imdb" && id !== "20news")) {
        const { train, dev, test, leftOut } = await set.load({ dataDir: mirror });
        sizes[set.id] = [train.length, dev.length, test.length, leftOut.train];
        const keys = new Set(test.map(({ text }) => textKey(text)));
        expect(train.filter(({ text }) => keys.has(textKey(text)))).toEqual([]);
        const labels = new Set(train.map((item) => item.label));
        expect([...dev, ...test].filter((item) => !labels.has(item.label))).toEqual([]);
        for (const { text, label } of [...train, ...dev, ...test])
          if (text === "" || label === "") throw new Error(set.id);
      }
      expect(sizes).toMatchObject({
        "ag-news": [38_200, 4_245, 7_600, 33],
        sst2: [67_334, 872, 1_821, 15],
        clinc150: [15_044, 3_093, 5_500, 56],
        banking77: [8_975, 999, 3_080, 28],
        trec: [4_901, 540, 500, 11],
        chnsenticorp: [8_901, 1_160, 1_200, 699],
      });
      const domains = await loadClincDomains({ dataDir: mirror });
      expect(domains.size).toBe(150);
      expect(new Set(domains.values()).size).toBe(10);
      expect(domains.get("freeze_account")).toBe("banking");
    },
  );
});

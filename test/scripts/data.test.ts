import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { cleanLine, contentDigest, gunzipLines } from "../../scripts/data/lines.ts";
import { loadMulti30k, MULTI30K_SPLITS, type Multi30kSplit } from "../../scripts/data/multi30k.ts";
import { loadParallel, type ParallelSplit } from "../../scripts/data/parallel.ts";

const ENGLISH = ["A dog.", "Two\tmen ", "", "\u00a0Snow – café"];
const GERMAN = ["Ein Hund.", "Zwei Männer", "", "Schnee – Café"];
const CLEAN = ["A dog.", "Two men", "", "Snow – café"];

const SET: ParallelSplit = {
  mirrorFile: "set/train.tsv.gz",
  source: { column: 0, url: "https://example.org/train.en.gz", sha256: contentDigest(CLEAN) },
  target: { column: 1, url: "https://example.org/train.de.gz", sha256: contentDigest(GERMAN) },
};
const PAIRS = CLEAN.map((source, i) => ({ source, target: GERMAN[i]! }));

const gzipText = (lines: string[]) => gzipSync(lines.map((line) => `${line}\n`).join(""));
/** A public source with these files. */
const serve = (files: Record<string, Uint8Array>) =>
  vi.fn(async (url: string | URL | Request) => {
    const file = files[String(url).split("/").at(-1)!];
    return file === undefined ? new Response("", { status: 404 }) : new Response(new Uint8Array(file));
  });
const noNetwork = async () => {
  throw new TypeError("fetch failed", { cause: new Error("getaddrinfo ENOTFOUND example.org") });
};
const GOOD = { "train.en.gz": gzipText(ENGLISH), "train.de.gz": gzipText(GERMAN) };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "edge-slm-data-"));
  vi.stubEnv("EDGE_SLM_DATA", undefined);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

async function writeMirror(bytes: Uint8Array): Promise<string> {
  await mkdir(join(folder, "mirror", "set"), { recursive: true });
  await writeFile(join(folder, "mirror", SET.mirrorFile), bytes);
  return join(folder, "mirror");
}
const mirrorTsv = () => gzipText(CLEAN.map((line, i) => `${line}\t${GERMAN[i]}\tun chien`));

describe("lines", () => {
  test("only a line feed ends a line", () => {
    expect(gunzipLines(gzipSync("a\r\nb\u2028c\nd"), "x")).toEqual(["a\r", "b\u2028c", "d"]);
    expect(gunzipLines(gzipSync(""), "x")).toEqual([]);
  });

  test("tabs become spaces and the ends are trimmed", () => {
    expect(cleanLine("\ta\tb \u00a0")).toBe("a b");
  });

  test("the digest is the sha256 of the lines, each with its line feed", () => {
    // printf 'a\n\nb\n' | sha256sum
    expect(contentDigest(["a", "", "b"])).toBe("770423513bd0765c18e500000baec91976bcd8267a245437b32572665c6ac370");
  });
});

describe("loadParallel", () => {
  test("mirror and public source give the same pairs", async () => {
    const dataDir = await writeMirror(mirrorTsv());
    expect(await loadParallel("set", SET, { dataDir, fetch: noNetwork })).toEqual(PAIRS);
    expect(await loadParallel("set", SET, { cacheDir: folder, fetch: serve(GOOD) })).toEqual(PAIRS);
  });

  test("the mirror can come from the environment", async () => {
    vi.stubEnv("EDGE_SLM_DATA", await writeMirror(mirrorTsv()));
    expect(await loadParallel("set", SET, { fetch: noNetwork })).toEqual(PAIRS);
  });

  test("a download is kept and not repeated", async () => {
    const fetch = serve(GOOD);
    await loadParallel("set", SET, { cacheDir: folder, fetch });
    expect(await loadParallel("set", SET, { cacheDir: folder, fetch: noNetwork })).toEqual(PAIRS);
    expect(fetch).toHaveBeenCalledTimes(2);
    expect((await readdir(join(folder, "set"))).sort()).toEqual(["train.de.gz", "train.en.gz"]);
  });

  test("a broken file in the cache is replaced", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    await mkdir(join(folder, "set"));
    await writeFile(join(folder, "set", "train.en.gz"), "half a fi");
    expect(await loadParallel("set", SET, { cacheDir: folder, fetch: serve(GOOD) })).toEqual(PAIRS);
    expect(warn).toHaveBeenCalledOnce();
    expect(new Uint8Array(await readFile(join(folder, "set", "train.en.gz")))).toEqual(
      new Uint8Array(GOOD["train.en.gz"]),
    );
  });

  const refused: [string, () => Promise<unknown>, RegExp][] = [
    [
      "no network",
      () => loadParallel("set", SET, { cacheDir: folder, fetch: noNetwork }),
      /^download https:\/\/example\.org\/train\.en\.gz: getaddrinfo ENOTFOUND example\.org; give a local copy with --data or EDGE_SLM_DATA$/,
    ],
    [
      "a file that is gone",
      () => loadParallel("set", SET, { cacheDir: folder, fetch: serve({}) }),
      /train\.en\.gz: status 404; give a local copy/,
    ],
    [
      "other content than pinned",
      () => loadParallel("set", SET, { cacheDir: folder, fetch: serve({ "train.en.gz": gzipText(["other"]) }) }),
      new RegExp(`train\\.en\\.gz: expected content with sha256 ${SET.source.sha256}, got [0-9a-f]{64} \\(1 lines\\)$`),
    ],
    [
      "a file that is not gzip",
      () => loadParallel("set", SET, { cacheDir: folder, fetch: serve({ "train.en.gz": Buffer.from("<html>") }) }),
      /train\.en\.gz: expected UTF-8 text in gzip, got 6 bytes that are not \(incorrect header check\)/,
    ],
    [
      "a mirror without the file",
      () => loadParallel("set", SET, { dataDir: join(folder, "nowhere"), fetch: serve(GOOD) }),
      /^set: expected the file .*nowhere.set.train\.tsv\.gz; check --data or EDGE_SLM_DATA$/,
    ],
    [
      "a mirror with a column too few",
      async () => loadParallel("set", SET, { dataDir: await writeMirror(gzipText(CLEAN)) }),
      /column 2: expected content with sha256 /,
    ],
    [
      "a mirror cut short",
      async () => loadParallel("set", SET, { dataDir: await writeMirror(mirrorTsv().subarray(0, 40)) }),
      /train\.tsv\.gz: expected UTF-8 text in gzip, .*unexpected end of file/,
    ],
  ];
  test.each(refused)("%s is an error of one line, and nothing is kept", async (_, load, message) => {
    const error = await load().catch((e: unknown) => e);
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toContain("\n");
    expect(await readdir(join(folder, "set")).catch(() => [])).toEqual([]);
  });
});

describe("Multi30k", () => {
  test("an unknown split is refused", async () => {
    await expect(loadMulti30k("test" as Multi30kSplit)).rejects.toThrow(
      "multi30k: expected a split out of train, val, test2016, test2017, got test",
    );
  });

  const mirror = process.env.EDGE_SLM_DATA;
  test.skipIf(!mirror)("the mirror holds what is pinned", async () => {
    const rows: Record<string, number> = {};
    for (const split of MULTI30K_SPLITS) rows[split] = (await loadMulti30k(split, { dataDir: mirror })).length;
    expect(rows).toEqual({ train: 29_000, val: 1_014, test2016: 1_000, test2017: 1_000 });
  });
});

import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bucket, openLocalBucket, openRemoteBucket } from "../../scripts/publish/bucket.ts";
import { findModelFolder, readModelFolder } from "../../scripts/publish/model-folder.ts";
import { publish } from "../../scripts/publish/publish.ts";
import { parseManifest } from "../../worker/model/manifest.ts";

const tiny = fileURLToPath(new URL("../fixtures/tiny", import.meta.url));
let directory: string;
let local: Bucket;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "edge-slm-publish-"));
  local = await openLocalBucket(join(directory, "state"));
});
afterAll(async () => {
  await local.close();
  await rm(directory, { recursive: true });
});

/** A copy of the tiny model under another id, to be changed. */
async function copyModel(id: string): Promise<string> {
  const folder = join(directory, id);
  await cp(tiny, folder, { recursive: true });
  return folder;
}

/** The bucket, with the keys in the order they were written. */
function watch(bucket: Bucket): { bucket: Bucket; puts: string[] } {
  const puts: string[] = [];
  const put: Bucket["put"] = (key, bytes, contentType) => {
    puts.push(key);
    return bucket.put(key, bytes, contentType);
  };
  return { bucket: { ...bucket, put }, puts };
}

describe("publish", () => {
  it("writes the files, then the manifest", async () => {
    const { bucket, puts } = watch(local);
    const model = await readModelFolder(await copyModel("first"));
    const { version, uploaded } = await publish(bucket, model);
    expect(uploaded).toBe(true);
    expect(puts).toEqual([
      `models/first/${version}/config.json`,
      `models/first/${version}/tokenizer.json`,
      `models/first/${version}/model.safetensors`,
      "models/first/manifest.json",
    ]);
    const text = await local.getText("models/first/manifest.json");
    expect(parseManifest("models/first/manifest.json", text!)).toEqual(model.manifest);
    expect(await local.getText(`models/first/${version}/config.json`)).toBe(
      await readFile(join(tiny, "config.json"), "utf8"),
    );
  });

  it("leaves a version alone that is there, unless a file is missing or it is forced", async () => {
    const model = await readModelFolder(await copyModel("second"));
    await publish(local, model);
    const { bucket, puts } = watch(local);
    expect((await publish(bucket, model)).uploaded).toBe(false);
    expect(puts).toEqual([]);
    expect((await publish(bucket, model, { force: true })).uploaded).toBe(true);
    await local.delete([model.manifest.files["tokenizer.json"]!.key]);
    expect((await publish(bucket, model)).uploaded).toBe(true);
    await local.put("models/second/manifest.json", new TextEncoder().encode("{"), "application/json");
    expect((await publish(bucket, model)).uploaded).toBe(true);
  });

  it("gives other bytes another version, and deletes the old one only when asked", async () => {
    const folder = await copyModel("third");
    const first = await readModelFolder(folder);
    await publish(local, first);
    await writeFile(join(folder, "card.md"), "# A card\n");
    const second = await readModelFolder(folder);
    expect(second.manifest.version).not.toBe(first.manifest.version);
    const oldKey = first.manifest.files["config.json"].key;
    await publish(local, second);
    expect(await local.getText(oldKey)).toBeDefined();
    await publish(local, first);
    const { pruned_version } = await publish(local, second, { prune: true });
    expect(pruned_version).toBe(first.manifest.version);
    expect(await local.getText(oldKey)).toBeUndefined();
    expect(await local.getText(second.manifest.files["card.md"]!.key)).toBe("# A card\n");
  });
});

describe("openRemoteBucket", () => {
  it("does the same through wrangler's commands", async () => {
    const bucket = await openRemoteBucket(["--local", "--persist-to", join(directory, "state")]);
    const model = await readModelFolder(await copyModel("fourth"));
    expect((await publish(bucket, model)).uploaded).toBe(true);
    expect((await publish(bucket, model)).uploaded).toBe(false);
    await bucket.close();
    expect((await publish(local, model)).uploaded).toBe(false);
  });

  it("says in one line what wrangler says", async () => {
    const bucket = await openRemoteBucket(["--local", "--bogus"]);
    await expect(bucket.getText("key")).rejects.toThrow(/^upload: reading [\w-]+\/key: .*bogus/i);
    await bucket.close();
  });
});

describe("readModelFolder", () => {
  const cases: [string, (folder: string) => Promise<unknown>, RegExp][] = [
    ["a missing file", (folder) => rm(join(folder, "tokenizer.json")), /tokenizer\.json: missing; run npm run export/],
    ["a broken config", (folder) => writeFile(join(folder, "config.json"), "{"), /config\.json: expected JSON/],
    ["a broken tokenizer", (folder) => writeFile(join(folder, "tokenizer.json"), "{}"), /tokenizer\.json: expected/],
    [
      "weights that are cut short",
      (folder) => editWeights(folder, (b) => b.subarray(0, -64)),
      /expected \d+ bytes, got/,
    ],
    ["an empty file of weights", (folder) => editWeights(folder, () => new Uint8Array()), /expected 8 bytes, got 0/],
    [
      "a config for other weights",
      (folder) => editConfig(folder, { d_ff: 128 }),
      /ffn_up\.weight: expected I8 8,8,16,4/,
    ],
    ["too small a vocabulary", (folder) => editConfig(folder, { vocab_size: 269 }), /below vocab_size 269, got 269/],
    ["a script that is none", (folder) => editConfig(folder, { source_scripts: ["Elvish"] }), /source_scripts\.0/],
  ];

  it.each(cases)("refuses %s, in one line", async (_, damage, message) => {
    const folder = await copyModel("damaged");
    await damage(folder);
    const error: Error = await readModelFolder(folder).then(
      () => new Error("accepted"),
      (reason) => reason,
    );
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain("\n");
    await rm(folder, { recursive: true });
  });

  it("refuses a folder whose name is no id", async () => {
    await expect(readModelFolder(await copyModel("Not An Id"))).rejects.toThrow("model id");
  });

  it("refuses what is not there", async () => {
    await expect(findModelFolder("nowhere")).rejects.toThrow("nowhere: expected a model's folder");
  });
});

async function editConfig(folder: string, change: object): Promise<void> {
  const path = join(folder, "config.json");
  await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, "utf8")), ...change }));
}

async function editWeights(folder: string, edit: (bytes: Uint8Array) => Uint8Array): Promise<void> {
  const path = join(folder, "model.safetensors");
  await writeFile(path, edit(await readFile(path)));
}

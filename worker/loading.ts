/**
 * From R2 to a model that can run: reads the manifests, streams a version's files, checks every byte's sha256 on the
 * way, and hands the weights to the engine as they come, so that no second copy of them is ever whole in memory.
 * Keeps nothing: store.ts decides what is loaded and for how long.
 */
import { loadClassifier, loadEmbedder, loadReader, loadRecommender, loadTransformer } from "./engine/load.ts";
import type { LoadedModel } from "./loaded-model.ts";
import type { TextModelConfig } from "./model/config.ts";
import { Catalogue, checkRecommenderMemory } from "./model/items.ts";
import { type Manifest, type ManifestFile, MODEL_PREFIX, manifestKey, parseManifest } from "./model/manifest.ts";
import { Tokenizer } from "./model/tokenizer.ts";
import { scriptTest } from "./text/clean.ts";

/** What R2 holds under `models/`: id → its manifest, or why it has none. */
export type Catalog = Map<string, Manifest | Error>;

/** Reads all manifests. One that is broken is an Error in its place, so that it spoils no other model. */
export async function readCatalog(bucket: R2Bucket): Promise<Catalog> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await bucket.list({ prefix: MODEL_PREFIX, delimiter: "/", cursor });
    ids.push(...page.delimitedPrefixes.map((prefix) => prefix.slice(MODEL_PREFIX.length, -1)));
    cursor = page.truncated ? page.cursor : undefined;
  } while (cursor !== undefined);
  const entries = await Promise.all(ids.map(async (id) => [id, await readManifest(bucket, id)] as const));
  return new Map(entries.flatMap(([id, manifest]) => (manifest === undefined ? [] : [[id, manifest] as const])));
}

async function readManifest(bucket: R2Bucket, id: string): Promise<Manifest | Error | undefined> {
  const key = manifestKey(id);
  try {
    const object = await bucket.get(key);
    // No manifest yet: an upload is under way.
    if (object === null) return undefined;
    const manifest = parseManifest(key, await object.text());
    if (manifest.id !== id) throw new Error(`${key}: expected the manifest of ${id}, got that of ${manifest.id}`);
    return manifest;
  } catch (error) {
    return error instanceof Error ? error : new Error(`${key}: ${error}`);
  }
}

/**
 * Loads the version that a manifest names.
 * @throws Error naming the file, if one is missing, has another sha256 than the manifest says, or does not fit the
 * configuration
 */
export async function loadModel(
  bucket: R2Bucket,
  manifest: Manifest,
  kernels: WebAssembly.Module,
): Promise<LoadedModel> {
  const { config, files } = manifest;
  const weights = <Engine>(load: (stream: ReadableStream<Uint8Array>) => Promise<Engine>) =>
    readWeights(bucket, files["model.safetensors"], load);
  if (config.task === "recommendation") {
    const file = files["items.txt"]!;
    checkRecommenderMemory(config, file.bytes);
    const [catalogue, engine] = await Promise.all([
      readCatalogue(bucket, file, config.vocab_size),
      weights((stream) => loadRecommender(config, stream, kernels)),
    ]);
    return { manifest: { ...manifest, config }, catalogue, engine };
  }
  const [tokenizer, engine] = await Promise.all([
    readTokenizer(bucket, files["tokenizer.json"]!),
    weights((stream) => loadTextEngine(config, stream, kernels)),
  ]);
  // The engine is the one of the configuration, which types cannot say.
  return { manifest, tokenizer, engine, readsScript: scriptTest(config.source_scripts) } as LoadedModel;
}

async function readTokenizer(bucket: R2Bucket, file: ManifestFile): Promise<Tokenizer> {
  const stream = verify(await openFile(bucket, file), file);
  return Tokenizer.fromJson(await new Response(stream).text());
}

async function readCatalogue(bucket: R2Bucket, file: ManifestFile, items: number): Promise<Catalogue> {
  const bytes = new Uint8Array(file.bytes);
  let received = 0;
  for await (const chunk of verify(await openFile(bucket, file), file)) {
    if (received + chunk.length > bytes.length) throw new Error(`${file.key}: expected ${file.bytes} bytes, got more`);
    bytes.set(chunk, received);
    received += chunk.length;
  }
  return new Catalogue(bytes, items);
}

async function readWeights<Engine>(
  bucket: R2Bucket,
  file: ManifestFile,
  load: (stream: ReadableStream<Uint8Array>) => Promise<Engine>,
): Promise<Engine> {
  let verified = false;
  const stream = verify(await openFile(bucket, file), file, () => {
    verified = true;
  });
  const engine = await load(stream);
  if (!verified) throw new Error(`${file.key}: the sha256 was not checked, the file was not read to its end`);
  return engine;
}

function loadTextEngine(
  config: TextModelConfig,
  weights: ReadableStream<Uint8Array>,
  kernels: WebAssembly.Module,
): Promise<LoadedModel<TextModelConfig["task"]>["engine"]> {
  switch (config.task) {
    case "translation":
      return loadTransformer(config, weights, kernels);
    case "classification":
      return loadClassifier(config, weights, kernels);
    case "question-answering":
      return loadReader(config, weights, kernels);
    case "embedding":
      return loadEmbedder(config, weights, kernels);
  }
}

async function openFile(bucket: R2Bucket, file: ManifestFile): Promise<ReadableStream<Uint8Array>> {
  const object = await bucket.get(file.key);
  if (object === null) throw new Error(`${file.key}: missing in R2; upload the model again`);
  return object.body;
}

/** R2 hands out 4 kB at a time by itself; each read has a price, so 9 MB take 55 ms that way and 14 ms this way. */
const CHUNK_BYTES = 128 * 1024;

/**
 * Passes a file's bytes through and hashes them; the stream fails at its end if they are not those of the manifest.
 * Pulled by its consumer and waiting for the hash, so at most one chunk is in flight.
 */
export function verify(
  body: ReadableStream<Uint8Array>,
  file: ManifestFile,
  onVerified: () => void = () => {},
): ReadableStream<Uint8Array> {
  const reader = body.getReader({ mode: "byob" });
  const digestStream = new crypto.DigestStream("SHA-256");
  const hasher = digestStream.getWriter();
  // A failed read aborts the hash, whose promise nobody waits for then.
  digestStream.digest.catch(() => {});
  let bytes = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.readAtLeast(CHUNK_BYTES, new Uint8Array(CHUNK_BYTES));
        if (value && value.length > 0) {
          bytes += value.length;
          await hasher.write(value);
          controller.enqueue(value);
        }
        if (!done) return;
        await hasher.close();
        const sha256 = new Uint8Array(await digestStream.digest).toHex();
        if (bytes !== file.bytes || sha256 !== file.sha256) {
          throw new Error(
            `${file.key}: expected ${file.bytes} bytes with sha256 ${file.sha256}, got ${bytes} with ${sha256}; ` +
              "upload the model again",
          );
        }
        onVerified();
        controller.close();
      },
      async cancel(reason) {
        await Promise.allSettled([reader.cancel(reason), hasher.abort(reason)]);
      },
    },
    { highWaterMark: 0 },
  );
}

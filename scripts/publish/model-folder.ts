/**
 * Reads a model's folder (`models/<id>`: the trio and its card), checks that it is one the Worker can load, and makes
 * its manifest. Writes nothing.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type ModelConfig, parseModelConfig, type Task, tensorSpecs } from "../../worker/model/config.ts";
import {
  checkPacking,
  type Header,
  neighbourShapes,
  nGramShape,
  readHeader,
  roundUp,
  SHORTLIST_TENSORS,
  TILE_K,
  TILE_N,
} from "../../worker/model/format.ts";
import { Catalogue, checkRecommenderMemory } from "../../worker/model/items.ts";
import {
  fileKey,
  type Manifest,
  type ManifestFile,
  MODEL_FILES,
  type ModelFileName,
  modelIdSchema,
  vocabularyFile,
} from "../../worker/model/manifest.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";

export interface ModelFolder {
  directory: string;
  manifest: Manifest;
  contents: Map<ModelFileName, Uint8Array>;
}

const modelsPath = fileURLToPath(new URL("../../models", import.meta.url));

/**
 * The folders of all models that are shipped.
 * @throws Error if there is none
 */
export async function listModelFolders(): Promise<string[]> {
  const entries = await readdir(modelsPath, { withFileTypes: true }).catch(() => []);
  const folders = entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
    .map(({ name }) => join(modelsPath, name));
  if (folders.length === 0) {
    throw new Error(
      `${modelsPath}: expected a model, found none; run npm run train -- multi30k-en-de and npm run export`,
    );
  }
  return folders;
}

/** Whether `models/` has one of this name. */
export function isShipped(id: string): boolean {
  return existsSync(join(modelsPath, id));
}

/** Where the model of a run of one's own is: shipped models are in `models/`. */
export const RUN_MODEL = "model";

/**
 * A model's folder from its path, or from its name: `models/<name>`, or the model of the run `runs/<name>`.
 * @throws Error if there is none
 */
export async function findModelFolder(model: string): Promise<string> {
  for (const folder of [resolve(model), join(modelsPath, model), resolve("runs", model, RUN_MODEL)]) {
    if ((await stat(folder).catch(() => undefined))?.isDirectory()) return folder;
  }
  throw new Error(`${model}: expected a model's folder or its name in ${modelsPath} or runs, there is none`);
}

/** The folder's name, or that of the run whose model it is. */
function nameOf(directory: string): string {
  const path = resolve(directory);
  return basename(path) === RUN_MODEL ? basename(dirname(path)) : basename(path);
}

/** @throws Error naming the file and what is wrong with it */
export async function readModelFolder(directory: string): Promise<ModelFolder> {
  const id = modelIdSchema.safeParse(nameOf(directory));
  if (!id.success) throw new Error(`${directory}: the folder's name is the model's id; ${id.error.issues[0]?.message}`);
  const contents = new Map<ModelFileName, Uint8Array>();
  for (const name of MODEL_FILES) {
    const content = await readFile(join(directory, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
      return undefined;
    });
    if (content) contents.set(name, content);
  }
  const need = (name: ModelFileName) => {
    if (!contents.has(name)) throw new Error(`${join(directory, name)}: missing; run npm run export`);
  };
  need("config.json");
  need("model.safetensors");
  const task = taskOf(contents);
  if (task !== undefined) need(vocabularyFile(task));
  try {
    return {
      directory,
      manifest: makeManifest(id.data, checkModel(contents), contents),
      contents,
    };
  } catch (error) {
    throw new Error(`${directory}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

/** What `config.json` says that the model is for; undefined if it says nothing. */
function taskOf(contents: ModelFolder["contents"]): Task | undefined {
  try {
    return parseModelConfig(new TextDecoder().decode(contents.get("config.json"))).task;
  } catch {
    // Whoever checks the configuration says what is wrong with it.
    return undefined;
  }
}

export function catalogueOf({ manifest, contents }: ModelFolder): Catalogue {
  return new Catalogue(contents.get("items.txt")!, manifest.config.vocab_size);
}

export function tokenizerOf({ contents }: ModelFolder): Tokenizer {
  return Tokenizer.fromJson(new TextDecoder().decode(contents.get("tokenizer.json")));
}

/** The bytes of model.safetensors, as the engine takes them. */
export function weightsOf({ contents }: ModelFolder): ReadableStream<Uint8Array> {
  return new Blob([contents.get("model.safetensors")! as Uint8Array<ArrayBuffer>]).stream();
}

function checkModel(contents: Map<ModelFileName, Uint8Array>): ModelConfig {
  const text = (name: ModelFileName) => new TextDecoder("utf-8", { fatal: true }).decode(contents.get(name));
  const config = parseModelConfig(text("config.json"));
  if (config.task === "recommendation") {
    const items = contents.get("items.txt")!;
    checkRecommenderMemory(config, items.length);
    new Catalogue(items, config.vocab_size);
  } else checkTokenizer(config, text("tokenizer.json"));
  const weights = contents.get("model.safetensors")!;
  const header = readHeader(weights);
  checkPacking(header);
  checkTensors(config, header);
  const expectedBytes = header.dataByteOffset + header.dataByteLength;
  if (weights.length !== expectedBytes) {
    throw new Error(
      `model.safetensors: expected ${expectedBytes} bytes, got ${weights.length}; export the model again`,
    );
  }
  return config;
}

/** Its tokens must all have a row in the embedding. */
function checkTokenizer(config: ModelConfig, json: string): void {
  Tokenizer.fromJson(json);
  const { model, added_tokens: added = [] } = JSON.parse(json) as {
    model: { vocab: Record<string, number> | [string, number][] };
    added_tokens?: { id: number }[];
  };
  const ids = Array.isArray(model.vocab) ? model.vocab.map((_, id) => id) : Object.values(model.vocab);
  const largest = [...ids, ...added.map(({ id }) => id)].reduce((a, b) => Math.max(a, b), 0);
  if (largest >= config.vocab_size) {
    throw new Error(`tokenizer.json: expected token ids below vocab_size ${config.vocab_size}, got ${largest}`);
  }
}

function checkTensors(config: ModelConfig, header: Header): void {
  const expected = new Map<string, string>();
  for (const { name, shape, kind } of tensorSpecs(config)) {
    if (kind === "matrix") {
      const [n, k] = shape as [number, number];
      expected.set(name, `I8 ${[Math.ceil(n / TILE_N), Math.ceil(k / TILE_K), TILE_N, TILE_K]}`);
      expected.set(`${name}_scale`, `F32 ${roundUp(n, TILE_N)}`);
      expected.set(`${name}_sum`, `I32 ${roundUp(n, TILE_N)}`);
    } else if (kind === "n_grams") {
      expected.set(name, `I32 ${nGramShape(shape[0])}`);
    } else {
      expected.set(name, `F32 ${shape.length > 1 ? shape : roundUp(shape[0], TILE_N)}`);
    }
  }
  if (config.task === "recommendation" && config.neighbours) {
    for (const [name, [dtype, shape]] of neighbourShapes(config.vocab_size, config.neighbours.count)) {
      expected.set(name, `${dtype} ${shape}`);
    }
  }
  for (const [name, tensor] of expected) {
    const info = header.tensors.get(name);
    const found = info ? `${info.dtype} ${info.shape}` : "none";
    if (found !== tensor) throw new Error(`model.safetensors: ${name}: expected ${tensor}, got ${found}; export again`);
  }
  const optional = config.task === "translation" ? SHORTLIST_TENSORS : [];
  const extra = [...header.tensors.keys()].filter((name) => !expected.has(name) && !optional.includes(name));
  if (extra.length > 0)
    throw new Error(`model.safetensors: tensors that config.json does not have: ${extra.join(", ")}`);
}

function makeManifest(id: string, config: ModelConfig, contents: Map<ModelFileName, Uint8Array>): Manifest {
  const sums = new Map([...contents].map(([name, content]) => [name, sha256(content)]));
  const version = sha256(new TextEncoder().encode([...sums].flat().join("\n"))).slice(0, 12);
  const file = (name: ModelFileName): ManifestFile => ({
    key: fileKey(id, version, name),
    bytes: contents.get(name)!.length,
    sha256: sums.get(name)!,
  });
  return {
    id,
    version,
    config,
    files: {
      "config.json": file("config.json"),
      [vocabularyFile(config.task)]: file(vocabularyFile(config.task)),
      "model.safetensors": file("model.safetensors"),
      ...(contents.has("card.md") ? { "card.md": file("card.md") } : {}),
    },
  };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A run folder that holds what the model is: its vocabulary and its configuration. */
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { formatItems } from "../../worker/model/items.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import { type BpeOptions, trainBpe } from "../tokenizer/bpe.ts";
import { writeWhole } from "./checkpoint.ts";
import type { NetworkConfig } from "./parameters.ts";

/** In the order of their ids: pad_token_id 0, bos_token_id 1, eos_token_id 2. */
export const SPECIAL_TOKENS = ["<pad>", "<s>", "</s>"];

/** The run's tokenizer; its vocabulary is trained if it is not there yet. */
export async function openTokenizer(
  runDir: string,
  texts: () => Iterable<string>,
  options: Omit<BpeOptions, "specialTokens">,
): Promise<Tokenizer> {
  await mkdir(runDir, { recursive: true });
  const path = join(runDir, "tokenizer.json");
  if (!existsSync(path)) {
    await writeWhole(path, JSON.stringify(trainBpe(texts(), { ...options, specialTokens: SPECIAL_TOKENS })));
  }
  return Tokenizer.fromJson(await readFile(path, "utf8"));
}

/** The run's catalogue: the ids of its items, a line each. @throws Error if the folder belongs to another one */
export async function openItems(runDir: string, items: string[]): Promise<void> {
  await mkdir(runDir, { recursive: true });
  const path = join(runDir, "items.txt");
  const text = formatItems(items);
  if (existsSync(path) && (await readFile(path, "utf8")) !== text) {
    throw new Error(`${path} is of other data; choose another folder with --run`);
  }
  await writeWhole(path, text);
}

/**
 * The n-grams of a run: those of its folder, or chosen and written there.
 * @returns [n-grams, MAX_N_GRAM] tokens, as of `NGrams`
 */
export async function openNGrams(runDir: string, choose: () => Int32Array): Promise<Int32Array> {
  const path = nGramsPath(runDir);
  if (existsSync(path)) return Int32Array.from(JSON.parse(await readFile(path, "utf8")) as number[]);
  const tokens = choose();
  await writeNGrams(runDir, tokens);
  return tokens;
}

/** The n-grams that a run is to have. @param tokens as of `NGrams` */
export async function writeNGrams(runDir: string, tokens: ArrayLike<number>): Promise<void> {
  await mkdir(runDir, { recursive: true });
  await writeWhole(nGramsPath(runDir), JSON.stringify(Array.from(tokens)));
}

const nGramsPath = (runDir: string) => join(runDir, "n-grams.json");

/**
 * Checks a configuration and writes it into the run folder.
 * @throws Error if it is not valid, or the folder belongs to a network of another shape
 */
export async function openConfig<Config extends NetworkConfig>(
  runDir: string,
  schema: z.ZodType<Config>,
  config: Config,
): Promise<Config> {
  await mkdir(runDir, { recursive: true });
  const path = join(runDir, "config.json");
  const result = schema.safeParse(config);
  if (!result.success) throw new Error(`the recipe's configuration: ${z.prettifyError(result.error)}`);
  if (existsSync(path)) {
    const found = schema.safeParse(JSON.parse(await readFile(path, "utf8")));
    if (!found.success || networkOf(found.data) !== networkOf(result.data)) {
      throw new Error(`${path} is of another version of this recipe; choose another folder with --run`);
    }
  }
  await writeWhole(path, `${JSON.stringify(result.data, null, 2)}\n`);
  return result.data;
}

/** What must not change under a checkpoint, as text. */
function networkOf(config: NetworkConfig): string {
  const { d_model, n_enc_layers, vocab_size, max_seq_len } = config;
  const decoder = config.task === "translation" ? config.n_dec_layers : 0;
  const own =
    config.model_type === "edge-slm-lstm" ? [config.d_embedding] : [config.d_ff, config.n_heads, config.activation];
  const answers = config.task === "question-answering" ? config.max_answer_words : 0;
  const heads = config.task === "classification" ? config.heads.map(({ name, labels }) => ({ name, labels })) : [];
  return JSON.stringify([d_model, n_enc_layers, decoder, vocab_size, max_seq_len, own, heads, answers]);
}

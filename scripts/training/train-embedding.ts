/**
 * Trains an embedding recipe: pairs of its sources, contrastively, beginning with the encoder of another model. The
 * checkpoint is chosen by Recall@1 on what is held out of the training texts and, of questions with an intent, on dev.
 */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { loadEmbedder } from "../../worker/engine/load.ts";
import { type EmbeddingConfig, embeddingConfigSchema } from "../../worker/model/config.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import { CORPUS_WORDS, cacheWords } from "../../worker/model/word-cache.ts";
import type { TextGroup } from "../data/text-pairs.ts";
import { quantizeModel } from "../export/quantize.ts";
import { loadKernels } from "../kernels.ts";
import { embedAll, nearest } from "../metrics/retrieval.ts";
import type { EmbeddingRecipe } from "../recipes/recipe.ts";
import { type PretrainedEncoder, parametersFrom, readEncoder } from "../train/encoder.ts";
import { writeWhole } from "./checkpoint.ts";
import { cutPair, type EmbeddingPair, pairBatches } from "./pair-batches.ts";
import { openConfig } from "./prepare.ts";
import { hash32, uniformStream } from "./random.ts";
import { type RunOptions, rowsPerStep, trainingOf } from "./run-options.ts";
import { draw } from "./sampling.ts";
import { runSession } from "./session.ts";

/** Every so manyth group, or text of a group, is held out to choose by. */
const HELD_OUT = 20;
/** Texts of a source that are searched, and asked for, when the checkpoint is chosen. */
const MAX_DOCUMENTS = 4_000;
const MAX_QUERIES = 600;

/** Token ids of a group's texts, all of which are `first` of a pair. */
type TokenGroup = { alike: number[][] } | { pairs: [number[], number[]][] };

/** @returns whether it came to the end, or was stopped */
export async function trainEmbedding(recipe: EmbeddingRecipe, options: RunOptions): Promise<boolean> {
  const { id, sources, rowLength, slots, tokenDropout } = recipe;
  const { runDir, device, count } = options;
  const training = trainingOf(recipe, options);
  const encoder = await readEncoder(recipe.from);
  const tokenizer = await copyTokenizer(runDir, encoder);
  const groups: TextGroup[][] = [];
  for (const { source } of sources) groups.push(await source.load(options.data));
  const config = await openConfig(runDir, embeddingConfigSchema, configOf(recipe, encoder, groups));
  const encode = cacheWords(tokenizer.encode, CORPUS_WORDS);
  const parts = groups.map((texts) => holdOut(texts.map((group) => tokensOf(group, encode))));

  const shape = { rows: Math.ceil(rowsPerStep(training, device) / count), length: rowLength, slots };
  const epochPairs = (epoch: number) =>
    parts.map(({ train }, source) => {
      const pairs = drawPairs(train, sources[source]!.epochPairs, hash32(training.seed, epoch, source));
      return dropTokens(pairs, tokenDropout, hash32(training.seed, epoch, source, 1));
    });
  const epoch = (number: number) =>
    pairBatches(epochPairs(number), shape, config, hash32(training.seed, number), count);
  const devPairs = parts.map(({ dev }) => drawPairs(dev, MAX_QUERIES, training.seed));
  const stepsPerEpoch = [...epoch(0)].length;
  const pairs = sources.map(({ source, epochPairs }) => `${source.id} ${epochPairs}`).join(", ");
  console.log(`${id}: pairs of an epoch: ${pairs}; ${stepsPerEpoch} steps; ${count} × ${device}; run folder ${runDir}`);
  const { done, score, step } = await runSession({
    device,
    count,
    runDir,
    objective: { kind: "embedding", config, slots },
    training,
    task: {
      epoch,
      stepsPerEpoch,
      dev: () => pairBatches(devPairs, shape, config, 0, count),
      score: await createRecallScore(config, parts, rowLength),
    },
    scoreName: "Recall@1, %",
    initialize: (parameters) => parameters.set(parametersFrom(encoder, config, training.seed)),
  });
  if (done) console.log(`done: best dev Recall@1 ${score.toFixed(2)} at step ${step}`);
  return done;
}

async function copyTokenizer(runDir: string, { tokenizer }: PretrainedEncoder): Promise<Tokenizer> {
  const path = join(runDir, "tokenizer.json");
  await mkdir(runDir, { recursive: true });
  if (!existsSync(path)) await writeWhole(path, tokenizer);
  return Tokenizer.fromJson(tokenizer);
}

function configOf(recipe: EmbeddingRecipe, { config }: PretrainedEncoder, groups: TextGroup[][]): EmbeddingConfig {
  const { heads: _, ...encoder } = config;
  return {
    ...encoder,
    task: "embedding",
    max_seq_len: recipe.rowLength,
    card: {
      ...recipe.card,
      licence: "see the training data",
      training_data: [
        ...recipe.sources.map(({ source: { card } }, i) => ({
          name: card.name,
          licence: card.licence,
          rows: groups[i]!.reduce((sum, group) => sum + textsOf(group).length, 0),
        })),
        ...config.card.training_data.map((data) => ({ ...data, name: `${recipe.from}: ${data.name}` })),
      ],
      quality: {},
    },
  };
}

const textsOf = (group: TextGroup) => ("alike" in group ? group.alike : group.pairs);

function tokensOf(group: TextGroup, encode: (text: string) => number[]): TokenGroup {
  return "alike" in group
    ? { alike: group.alike.map(encode) }
    : { pairs: group.pairs.map(([first, second]) => [encode(first), encode(second)]) };
}

/** Of groups of alike texts some of each; of pairs whole groups. */
function holdOut(groups: TokenGroup[]): { train: TokenGroup[]; dev: TokenGroup[] } {
  const isDev = (_: unknown, i: number) => i % HELD_OUT === 0;
  const isTrain = (_: unknown, i: number) => i % HELD_OUT !== 0;
  if (!groups.every((group) => "alike" in group)) return { train: groups.filter(isTrain), dev: groups.filter(isDev) };
  return {
    train: groups.map(({ alike }) => ({ alike: alike.filter(isTrain) })),
    dev: groups.map(({ alike }) => ({ alike: alike.filter(isDev) })),
  };
}

/** Every text equally often as the first of a pair; of alike ones, the second is another one of the group. */
function drawPairs(groups: TokenGroup[], count: number, seed: number): EmbeddingPair[] {
  const uniform = uniformStream(hash32(seed, 7));
  const items = groups.flatMap((group, number) =>
    ("alike" in group ? group.alike : group.pairs).map((_, index) => ({ group, number, index })),
  );
  return draw(items, Math.min(count, items.length), seed).flatMap(({ group, number, index }) => {
    if ("pairs" in group) {
      const [first, second] = group.pairs[index]!;
      return [{ first, second, group: number }];
    }
    const others = group.alike.length - 1;
    if (others < 1) return [];
    const other = Math.floor(uniform() * others);
    return [{ first: group.alike[index]!, second: group.alike[other < index ? other : other + 1]!, group: number }];
  });
}

/** A text keeps at least one of its tokens. */
function dropTokens(pairs: EmbeddingPair[], probability: number, seed: number): EmbeddingPair[] {
  const uniform = uniformStream(seed);
  const thin = (tokens: number[]) => {
    const kept = tokens.filter(() => uniform() >= probability);
    return kept.length > 0 ? kept : tokens;
  };
  return pairs.map(({ first, second, group }) => ({ first: thin(first), second: thin(second), group }));
}

/** Recall@1 in percent, the mean of the sources', of the quantized network in the Worker's engine. */
async function createRecallScore(
  config: EmbeddingConfig,
  parts: { train: TokenGroup[]; dev: TokenGroup[] }[],
  rowLength: number,
): Promise<(parameters: Float32Array) => Promise<number>> {
  const kernels = await loadKernels();
  const sources = parts.map(({ train, dev }) => searchOf(train, dev, rowLength));
  return async (parameters) => {
    const { file } = quantizeModel(config, parameters);
    const model = await loadEmbedder(config, new Blob([file]).stream(), kernels);
    const recalls: number[] = [];
    for (const { queries, documents } of sources) {
      const found = nearest(
        await embedAll(
          model,
          queries.map(({ tokens }) => tokens),
        ),
        await embedAll(
          model,
          documents.map(({ tokens }) => tokens),
        ),
      );
      const right = found.filter((document, i) => documents[document]!.group === queries[i]!.group).length;
      recalls.push((100 * right) / queries.length);
    }
    console.log(`Recall@1: ${recalls.map((recall) => recall.toFixed(1)).join(", ")}`);
    return recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length;
  };
}

interface Found {
  tokens: number[];
  group: number;
}

/** What is asked of a source and what is searched: of alike texts those to train on, of pairs the second texts. */
function searchOf(train: TokenGroup[], dev: TokenGroup[], rowLength: number): { queries: Found[]; documents: Found[] } {
  const isAlike = train.every((group) => "alike" in group);
  const documents = isAlike
    ? train.flatMap((group, number) =>
        ("alike" in group ? group.alike : []).map((tokens) => ({ tokens, group: number })),
      )
    : [...dev, ...train].flatMap((group, number) =>
        "pairs" in group ? [{ tokens: group.pairs[0]![1], group: number }] : [],
      );
  const queries = dev.flatMap((group, number) =>
    ("alike" in group ? group.alike : group.pairs.map(([first]) => first)).map((tokens) => ({ tokens, group: number })),
  );
  const cut = ({ tokens, group }: Found) => ({
    tokens: cutPair({ first: [], second: tokens, group }, rowLength).second,
    group,
  });
  return { queries: some(queries, MAX_QUERIES).map(cut), documents: some(documents, MAX_DOCUMENTS).map(cut) };
}

/** At most so many, evenly spread. */
function some<Item>(items: Item[], most: number): Item[] {
  const step = Math.max(1, items.length / most);
  return Array.from({ length: Math.floor(items.length / step) }, (_, i) => items[Math.floor(i * step)]!);
}

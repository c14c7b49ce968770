/**
 * Whole models: our engine in Node and in workerd beside the very same weights as ONNX graphs on onnxruntime, sentence
 * by sentence and in turns. The peer decodes our target, so both take the same steps; how often it would have chosen
 * another token, and how far its logits are from ours, is measured beside it: it quantizes activations to 8 bits with
 * one scale for a whole operand, we to 7 bits with one a row.
 */
import type { ModelConfig } from "../../worker/model/config.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import type { KernelBuild } from "../kernels.ts";
import type { ModelFolder } from "../publish/model-folder.ts";
import { startBenchWorker } from "./bench-worker.ts";
import { type Child, startChild } from "./child.ts";
import { ratios, type Spread, spreadOf } from "./figures.ts";
import { compareLogits, type LogitAgreement } from "./logits.ts";
import type { TranslationTimes } from "./model-bench.ts";
import type { methods as NodeMethods } from "./model-node.ts";
import type { methods as PeerMethods } from "./model-peer.ts";
import type { LoadRequest, TimeRequest } from "./model-worker.ts";
import type { PeerName } from "./peer.ts";

/** Captions of the kind the model knows; a source of any length is cut from them. */
const TEXT =
  "A young man in a red shirt is riding a brown horse in front of a large crowd of people who are watching him. " +
  "Two little girls in white dresses are playing with a black dog on the green grass near an old wooden house. " +
  "A woman wearing a blue hat sits at a table outside a restaurant, reading a newspaper and drinking coffee.";

/** Source tokens, the end token included. The bar is for 20. */
const SOURCE_LENGTHS = [8, 20, 60];
/** What a text classifier of 64 tokens has to do: encode them. */
const ENCODER_LENGTH = 64;

export interface ModelOptions {
  rounds: number;
  burstMs: number;
}

export interface PeerResult {
  name: PeerName;
  version: string;
  ms: Spread;
  /** peer / ours, round by round: how many times faster we are. */
  timesNode: Spread;
  timesWorkerd: Spread;
  agreement?: LogitAgreement;
}

export interface ModelRow {
  what: "translation" | "encoder";
  build: KernelBuild;
  sourceTokens: number;
  /** Decoder steps; 0 for the encoder alone. */
  steps: number;
  node: Spread;
  workerd: Spread;
  /** Of our time in workerd, outside of the kernels: 1 − kernels / all. */
  outsideKernels?: Spread;
  kernelMs?: Spread;
  peers: PeerResult[];
}

/** @returns the first n − 1 token ids of TEXT; the end token makes it n */
export function sourceOf(tokenizer: Tokenizer, n: number): number[] {
  const tokens = tokenizer.encode(TEXT);
  while (tokens.length < n) tokens.push(...tokens);
  return tokens.slice(0, n - 1);
}

interface Contenders {
  config: ModelConfig;
  build: KernelBuild;
  node: Child<typeof NodeMethods>;
  post<T>(path: string, body: unknown): Promise<T>;
  peers: { name: PeerName; version: string; child: Child<typeof PeerMethods> }[];
}

export async function benchModels(folder: ModelFolder, options: ModelOptions): Promise<ModelRow[]> {
  const { config } = folder.manifest;
  const weights = folder.contents.get("model.safetensors") as Uint8Array<ArrayBuffer>;
  const tokenizer = Tokenizer.fromJson(new TextDecoder().decode(folder.contents.get("tokenizer.json")));
  const closing: (() => Promise<void>)[] = [];
  try {
    const node = startChild<typeof NodeMethods>("model-node.ts");
    closing.push(() => node.close());
    const workerd = await startBenchWorker("model-worker.ts");
    closing.push(() => workerd.close());
    const peers = await startPeers(config, weights);
    closing.push(...peers.map(({ child }) => () => child.close()));
    await workerd.post("/weights", weights);
    const rows: ModelRow[] = [];
    for (const build of ["relaxed", "simd"] as const) {
      await node.load(config, weights, build);
      await workerd.post("/load", { config, build } satisfies LoadRequest);
      const contenders: Contenders = { config, build, node, post: workerd.post, peers };
      for (const length of SOURCE_LENGTHS) {
        rows.push(await benchTranslation(contenders, sourceOf(tokenizer, length), options));
      }
      rows.push(await benchEncoder(contenders, sourceOf(tokenizer, ENCODER_LENGTH), options));
    }
    return rows;
  } finally {
    await Promise.all(closing.map((close) => close()));
  }
}

async function benchTranslation(contenders: Contenders, source: number[], options: ModelOptions): Promise<ModelRow> {
  const { build, node, post, peers, config } = contenders;
  const { burstMs } = options;
  const target = await node.translate(source, 1);
  const inNode: number[] = [];
  const inWorkerd: TranslationTimes[] = [];
  const inPeers = peers.map(() => [] as number[]);
  await eachRound(options, async (isCounted) => {
    const ours = (await node.time(source, burstMs)).ms;
    const worker = await post<TranslationTimes>("/time", { source, burstMs } satisfies TimeRequest);
    const theirs = [];
    for (const { child } of peers) theirs.push(await child.time(source, target, burstMs));
    if (!isCounted) return;
    inNode.push(ours);
    inWorkerd.push(worker);
    theirs.forEach((ms, i) => {
      inPeers[i]!.push(ms);
    });
  });
  const workerdMs = inWorkerd.map(({ ms }) => ms);
  const ourLogits = await node.logits(source, target);
  const results: PeerResult[] = [];
  for (const [i, { name, version, child }] of peers.entries()) {
    const agreement = compareLogits(ourLogits, await child.logits(source, target), config.vocab_size);
    results.push({ ...peerResult(name, version, inPeers[i]!, inNode, workerdMs), agreement });
  }
  return {
    what: "translation",
    build,
    sourceTokens: source.length + 1,
    // The last step is the one that finds the end token.
    steps: target.length + 1,
    node: spreadOf(inNode),
    workerd: spreadOf(workerdMs),
    kernelMs: spreadOf(inWorkerd.map(({ kernelMs }) => kernelMs)),
    outsideKernels: spreadOf(inWorkerd.map(({ ms, kernelMs }) => 1 - kernelMs / ms)),
    peers: results,
  };
}

async function benchEncoder(contenders: Contenders, source: number[], options: ModelOptions): Promise<ModelRow> {
  const { build, node, post, peers, config } = contenders;
  const { burstMs } = options;
  const tokens = [...source, config.eos_token_id];
  const inNode: number[] = [];
  const inWorkerd: number[] = [];
  const inPeers = peers.map(() => [] as number[]);
  await eachRound(options, async (isCounted) => {
    const ours = await node.timeEncoder(tokens, burstMs);
    const worker = await post<{ ms: number }>("/time-encoder", { source: tokens, burstMs } satisfies TimeRequest);
    const theirs = [];
    for (const { child } of peers) theirs.push(await child.timeEncoder(tokens, burstMs));
    if (!isCounted) return;
    inNode.push(ours);
    inWorkerd.push(worker.ms);
    theirs.forEach((ms, i) => {
      inPeers[i]!.push(ms);
    });
  });
  return {
    what: "encoder",
    build,
    sourceTokens: tokens.length,
    steps: 0,
    node: spreadOf(inNode),
    workerd: spreadOf(inWorkerd),
    peers: peers.map(({ name, version }, i) => peerResult(name, version, inPeers[i]!, inNode, inWorkerd)),
  };
}

/** The first round warms up and does not count. */
async function eachRound({ rounds }: ModelOptions, round: (isCounted: boolean) => Promise<void>): Promise<void> {
  for (let i = -1; i < rounds; i++) await round(i >= 0);
}

function peerResult(name: PeerName, version: string, theirs: number[], node: number[], workerd: number[]): PeerResult {
  return {
    name,
    version,
    ms: spreadOf(theirs),
    timesNode: spreadOf(ratios(theirs, node)),
    timesWorkerd: spreadOf(ratios(theirs, workerd)),
  };
}

async function startPeers(config: ModelConfig, weights: Uint8Array<ArrayBuffer>): Promise<Contenders["peers"]> {
  const peers: Contenders["peers"] = [];
  for (const name of ["onnxruntime-web", "onnxruntime-node"] as const) {
    const child = startChild<typeof PeerMethods>("model-peer.ts");
    const version = await child.load(name, config, weights);
    if (version !== undefined) peers.push({ name, version, child });
    else await child.close();
  }
  return peers;
}

/**
 * Whole models: our engine in Node and in workerd beside the very same weights as ONNX graphs on onnxruntime, text by
 * text and in turns. The peer decodes our target, so both take the same steps; how often it would have chosen another
 * token, and how far its logits are from ours, is measured beside it: it quantizes activations to 8 bits with one scale
 * for a whole operand, we to 7 bits with one a row.
 */
import type { ClassificationConfig, TranslationConfig } from "../../../worker/model/config.ts";
import { Tokenizer } from "../../../worker/model/tokenizer.ts";
import type { KernelBuild } from "../../kernels.ts";
import { type BenchWorker, startBenchWorker } from "../bench-worker.ts";
import { type Child, startChild } from "../child.ts";
import { ratios, type Spread, spreadOf } from "../figures.ts";
import type { PeerName } from "../onnxruntime.ts";
import { compareLogits, type LogitAgreement } from "./logits.ts";
import type { methods as NodeMethods } from "./node.ts";
import type { methods as PeerMethods } from "./peer.ts";
import type { KernelShare } from "./recording.ts";
import type { RunTimes } from "./translation.ts";
import type { LoadRequest, TimeRequest } from "./worker.ts";

/** Captions of the kind the model knows; a source of any length is cut from them. */
const TEXT =
  "A young man in a red shirt is riding a brown horse in front of a large crowd of people who are watching him. " +
  "Two little girls in white dresses are playing with a black dog on the green grass near an old wooden house. " +
  "A woman wearing a blue hat sits at a table outside a restaurant, reading a newspaper and drinking coffee.";

/** The tokens that the bars are for. */
export const BAR_LENGTHS = { translation: 20, classification: 64 };
/** Tokens of sources and texts, the end token included. */
const SOURCE_LENGTHS = [8, BAR_LENGTHS.translation, 60];
const TEXT_LENGTHS = [16, BAR_LENGTHS.classification];

export interface ModelOptions {
  rounds: number;
  burstMs: number;
}

export interface BenchedModel<Config> {
  config: Config;
  /** The bytes of its `model.safetensors`. */
  weights: Uint8Array<ArrayBuffer>;
}

export interface PeerResult {
  name: PeerName;
  version: string;
  ms: Spread;
  /** peer / ours, round by round: how many times faster we are. */
  timesNode: Spread;
  timesWorkerd: Spread;
  agreement: LogitAgreement;
}

export interface ModelRow {
  task: "translation" | "classification";
  build: KernelBuild;
  /** Tokens in, the end token included. */
  tokens: number;
  /** Decoder steps; 0 of a classification. */
  steps: number;
  node: Spread;
  workerd: Spread;
  /** 1 − kernels / all, of our time in workerd. */
  outsideKernels: Spread;
  peers: PeerResult[];
}

export interface ModelResults {
  rows: ModelRow[];
  /** Where the kernels' time goes in workerd, for the lengths that have a bar. */
  shares: { task: ModelRow["task"]; tokens: number; build: KernelBuild; kernels: KernelShare[] }[];
}

interface Contenders {
  node: Child<typeof NodeMethods>;
  workerd: BenchWorker;
  peers: { name: PeerName; version: string; child: Child<typeof PeerMethods> }[];
}

/** One thing to time, by everybody. */
interface Task {
  task: ModelRow["task"];
  /** As the Worker's routes take them. */
  tokens: number[];
  inNode(burstMs: number): Promise<RunTimes>;
  inPeer(child: Child<typeof PeerMethods>, burstMs: number): Promise<number>;
  agreement(child: Child<typeof PeerMethods>): Promise<LogitAgreement>;
}

/** @returns the first n token ids of TEXT */
export function tokensOf(tokenizer: Tokenizer, n: number): number[] {
  const tokens = tokenizer.encode(TEXT);
  while (tokens.length < n) tokens.push(...tokens);
  return tokens.slice(0, n);
}

/** @param tokenizerJson of the translation model; what a classifier's tokens say does not matter to its time */
export async function benchModels(
  translation: BenchedModel<TranslationConfig>,
  classification: BenchedModel<ClassificationConfig>,
  tokenizerJson: string,
  options: ModelOptions,
): Promise<ModelResults> {
  const tokenizer = Tokenizer.fromJson(tokenizerJson);
  const closing: (() => Promise<void>)[] = [];
  try {
    const node = startChild<typeof NodeMethods>(new URL("node.ts", import.meta.url));
    closing.push(() => node.close());
    const workerd = await startBenchWorker(new URL("worker.ts", import.meta.url));
    closing.push(() => workerd.close());
    const peers = await startPeers();
    closing.push(
      ...peers.map(
        ({ child }) =>
          () =>
            child.close(),
      ),
    );
    for (const { child } of peers) {
      await child.loadTranslation(translation.config, translation.weights);
      await child.loadClassification(classification.config, classification.weights);
    }
    const contenders: Contenders = { node, workerd, peers };
    const results: ModelResults = { rows: [], shares: [] };
    for (const build of ["relaxed", "simd"] as const) {
      await loadOurs(contenders, build, translation, classification);
      for (const length of SOURCE_LENGTHS) {
        const source = tokensOf(tokenizer, length - 1);
        const target = await node.translate(source);
        const task = translationTask(node, source, target, translation.config.vocab_size);
        const facts = { build, tokens: length, steps: target.length + 1 };
        results.rows.push({ ...facts, ...(await benchTask(contenders, task, options)) });
        if (length === BAR_LENGTHS.translation)
          results.shares.push(await benchKernels(contenders, task, facts, options));
      }
      for (const length of TEXT_LENGTHS) {
        const text = [...tokensOf(tokenizer, length - 1), classification.config.eos_token_id];
        const task = classificationTask(node, text, classification.config);
        const facts = { build, tokens: length, steps: 0 };
        results.rows.push({ ...facts, ...(await benchTask(contenders, task, options)) });
        if (length === BAR_LENGTHS.classification)
          results.shares.push(await benchKernels(contenders, task, facts, options));
      }
    }
    return results;
  } finally {
    await Promise.all(closing.map((close) => close()));
  }
}

async function loadOurs(
  { node, workerd }: Contenders,
  build: KernelBuild,
  translation: BenchedModel<TranslationConfig>,
  classification: BenchedModel<ClassificationConfig>,
): Promise<void> {
  await node.loadTranslation(translation.config, translation.weights, build);
  await node.loadClassification(classification.config, classification.weights, build);
  for (const { config, weights } of [translation, classification]) {
    await workerd.post("/weights", weights);
    await workerd.post("/load", { config, build } satisfies LoadRequest);
  }
}

function translationTask(node: Contenders["node"], source: number[], target: number[], vocabSize: number): Task {
  return {
    task: "translation",
    tokens: source,
    inNode: (burstMs) => node.timeTranslation(source, burstMs),
    inPeer: (child, burstMs) => child.timeTranslation(source, target, burstMs),
    agreement: async (child) =>
      compareLogits(await node.logits(source, target), await child.logits(source, target), vocabSize),
  };
}

function classificationTask(node: Contenders["node"], text: number[], { heads }: ClassificationConfig): Task {
  return {
    task: "classification",
    tokens: text,
    inNode: (burstMs) => node.timeClassification(text, burstMs),
    inPeer: (child, burstMs) => child.timeClassification(text, burstMs),
    async agreement(child) {
      const [ours, theirs] = [await node.classify(text), await child.classify(text)];
      const each = heads.map(({ temperature, labels }, i) => {
        // Log_probs are the logits over the temperature but for a constant, which the comparison takes off.
        const scaled = theirs[i]!.map((logit) => logit / temperature);
        return compareLogits(Float32Array.from(ours[i]!), scaled, labels.length);
      });
      return {
        sameChoice: each.reduce((sum, { sameChoice }) => sum + sameChoice, 0) / each.length,
        relativeError: Math.max(...each.map(({ relativeError }) => relativeError)),
      };
    },
  };
}

async function benchKernels(
  { workerd }: Contenders,
  { task, tokens: ids }: Task,
  { build, tokens }: { build: KernelBuild; tokens: number },
  { burstMs }: ModelOptions,
): Promise<ModelResults["shares"][number]> {
  const request: TimeRequest = { tokens: ids, burstMs };
  return { task, tokens, build, kernels: await workerd.post<KernelShare[]>(`/kernel-shares/${task}`, request) };
}

/** Rounds in which each contender is asked once; the first warms up and does not count. */
async function benchTask({ workerd, peers }: Contenders, task: Task, { rounds, burstMs }: ModelOptions) {
  const inNode: number[] = [];
  const inWorkerd: RunTimes[] = [];
  const inPeers = peers.map(() => [] as number[]);
  for (let round = -1; round < rounds; round++) {
    const ours = await task.inNode(burstMs);
    const request: TimeRequest = { tokens: task.tokens, burstMs };
    const worker = await workerd.post<RunTimes>(`/time/${task.task}`, request);
    const theirs: number[] = [];
    for (const { child } of peers) theirs.push(await task.inPeer(child, burstMs));
    if (round < 0) continue;
    inNode.push(ours.ms);
    inWorkerd.push(worker);
    theirs.forEach((ms, i) => {
      inPeers[i]!.push(ms);
    });
  }
  const workerdMs = inWorkerd.map(({ ms }) => ms);
  const results: PeerResult[] = [];
  for (const [i, { name, version, child }] of peers.entries()) {
    results.push({
      name,
      version,
      ms: spreadOf(inPeers[i]!),
      timesNode: spreadOf(ratios(inPeers[i]!, inNode)),
      timesWorkerd: spreadOf(ratios(inPeers[i]!, workerdMs)),
      agreement: await task.agreement(child),
    });
  }
  return {
    task: task.task,
    node: spreadOf(inNode),
    workerd: spreadOf(workerdMs),
    outsideKernels: spreadOf(inWorkerd.map(({ ms, kernelMs }) => 1 - kernelMs / ms)),
    peers: results,
  };
}

async function startPeers(): Promise<Contenders["peers"]> {
  const peers: Contenders["peers"] = [];
  for (const name of ["onnxruntime-web", "onnxruntime-node"] as const) {
    const child = startChild<typeof PeerMethods>(new URL("peer.ts", import.meta.url));
    const version = await child.open(name);
    if (version !== undefined) peers.push({ name, version, child });
    else await child.close();
  }
  return peers;
}

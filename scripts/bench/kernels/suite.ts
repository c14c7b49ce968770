/**
 * Matrix products at the shapes of a model and at three larger ones: our two builds in Node and in workerd, beside
 * onnxruntime and beside the machine's peak. A round asks every contender once, each in its own process; ratios are
 * taken within a round, so that what else the machine does falls out of them.
 */
import type { EncoderConfig } from "../../../worker/model/config.ts";
import type { KernelBuild } from "../../kernels.ts";
import { startBenchWorker } from "../bench-worker.ts";
import { type Child, startChild } from "../child.ts";
import { ratios, type Spread, spreadOf } from "../figures.ts";
import type { PeerName } from "../onnxruntime.ts";
import type { methods as KernelMethods } from "./node.ts";
import { buildPeaks } from "./peak.ts";
import type { methods as PeerMethods, PeerRates } from "./peer.ts";
import type { KernelRates, Shape } from "./products.ts";
import type { KernelRequest } from "./worker.ts";

/** Rows of a product: one token, a beam, a short and a long source. */
const ROWS = [1, 4, 8, 16, 64];
/** [n, k] of the bars: a feed-forward block of d_model 256 and its output projection to 8,000 tokens. */
export const LARGE_SHAPES: [number, number][] = [
  [256, 1024],
  [1024, 256],
  [8000, 256],
];
const BUILDS: KernelBuild[] = ["relaxed", "simd"];
const PLACES = ["Node", "workerd"] as const;
type Place = (typeof PLACES)[number];

export interface KernelRow {
  shape: Shape;
  place: Place;
  build: KernelBuild;
  /** 10⁹ multiply-adds a second. */
  peak: Spread;
  product: Spread;
  quantized: Spread;
  /** product / peak */
  peakShare: Spread;
  /** quantized / peer, for each peer that is installed */
  peers: { name: PeerName; alone: Spread; inGraph: Spread; timesAlone: Spread; timesInGraph: Spread }[];
}

export interface KernelOptions {
  rounds: number;
  burstMs: number;
}

interface Contender {
  name: string;
  measure(shape: Shape, burstMs: number): Promise<KernelRates | PeerRates>;
}

/** The different [n, k] of a model's products. */
export function modelShapes({ d_model, d_ff, vocab_size }: EncoderConfig): [number, number][] {
  return [
    [3 * d_model, d_model],
    [d_model, d_model],
    [d_ff, d_model],
    [d_model, d_ff],
    [vocab_size, d_model],
  ];
}

export async function benchKernels(config: EncoderConfig, options: KernelOptions): Promise<KernelRow[]> {
  await buildPeaks();
  const closing: (() => Promise<void>)[] = [];
  try {
    const node = startChild<typeof KernelMethods>(new URL("node.ts", import.meta.url));
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
    const ours = BUILDS.flatMap((build) => [
      { place: "Node" as const, build, measure: (shape: Shape, ms: number) => node.measure(build, shape, ms) },
      {
        place: "workerd" as const,
        build,
        measure: (shape: Shape, burstMs: number) =>
          workerd.post<KernelRates>("/", { build, shape, burstMs } satisfies KernelRequest),
      },
    ]);
    const contenders: Contender[] = [
      ...ours.map(({ place, build, measure }) => ({ name: `${place} ${build}`, measure })),
      ...peers.map(({ name, child }) => ({ name, measure: child.measure })),
    ];
    const rows: KernelRow[] = [];
    for (const [n, k] of uniqueShapes([...modelShapes(config), ...LARGE_SHAPES])) {
      for (const m of ROWS) {
        const shape = { m, n, k };
        const samples = await runRounds(contenders, shape, options);
        for (const { place, build } of ours) {
          const mine = samples.get(`${place} ${build}`) as KernelRates[];
          rows.push(
            makeRow(
              shape,
              place,
              build,
              mine,
              peers.map(({ name }) => ({ name, rates: samples.get(name) as PeerRates[] })),
            ),
          );
        }
      }
    }
    return rows;
  } finally {
    await Promise.all(closing.map((close) => close()));
  }
}

async function runRounds(contenders: Contender[], shape: Shape, { rounds, burstMs }: KernelOptions) {
  const samples = new Map<string, (KernelRates | PeerRates)[]>(contenders.map(({ name }) => [name, []]));
  // The first round makes the operands and warms up.
  for (let round = -1; round < rounds; round++) {
    for (const { name, measure } of contenders) {
      const rates = await measure(shape, burstMs);
      if (round >= 0) samples.get(name)!.push(rates);
    }
  }
  return samples;
}

function makeRow(
  shape: Shape,
  place: Place,
  build: KernelBuild,
  mine: KernelRates[],
  peers: { name: PeerName; rates: PeerRates[] }[],
): KernelRow {
  const of = (key: keyof KernelRates) => mine.map((rates) => rates[key]);
  return {
    shape,
    place,
    build,
    peak: spreadOf(of("peak")),
    product: spreadOf(of("product")),
    quantized: spreadOf(of("quantized")),
    peakShare: spreadOf(ratios(of("product"), of("peak"))),
    peers: peers.map(({ name, rates }) => {
      const alone = rates.map((rate) => rate.alone);
      const inGraph = rates.map((rate) => rate.inGraph);
      return {
        name,
        alone: spreadOf(alone),
        inGraph: spreadOf(inGraph),
        timesAlone: spreadOf(ratios(of("quantized"), alone)),
        timesInGraph: spreadOf(ratios(of("quantized"), inGraph)),
      };
    }),
  };
}

function uniqueShapes(shapes: [number, number][]): [number, number][] {
  return [...new Map(shapes.map((shape) => [shape.join(), shape])).values()];
}

async function startPeers(): Promise<{ name: PeerName; child: Child<typeof PeerMethods> }[]> {
  const started: { name: PeerName; child: Child<typeof PeerMethods> }[] = [];
  for (const name of ["onnxruntime-web", "onnxruntime-node"] as const) {
    const child = startChild<typeof PeerMethods>(new URL("peer.ts", import.meta.url));
    if (await child.open(name)) started.push({ name, child });
    else await child.close();
  }
  return started;
}

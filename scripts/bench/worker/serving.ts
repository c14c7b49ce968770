/**
 * Latency as a client sees it, through HTTP, workerd, R2 and the kernels, and where it goes. The kernels' time is the
 * same translation's played back in workerd without anything around it (model-bench.ts), in turns with the requests.
 */
import { expectTask } from "../../../worker/model/config.ts";
import { Tokenizer } from "../../../worker/model/tokenizer.ts";
import type { ModelFolder } from "../../publish/model-folder.ts";
import { startBenchWorker } from "../bench-worker.ts";
import { type Figure, summarize } from "../figures.ts";
import type { RunTimes } from "../models/translation.ts";
import type { LoadRequest, TimeRequest } from "../models/worker.ts";
import { makeRandomFolder } from "../random-folder.ts";
import { LARGE_MODEL, makeRandomModel } from "../random-model.ts";
import type { Bundle } from "./bundle.ts";
import { startWorkerd } from "./workerd.ts";

/** Twelve words, of the kind the model knows. */
export const SENTENCE = "A young man in a red shirt is riding a brown horse.";
/** Twenty tokens in the shipped vocabulary, give or take one. */
const LONGER_SENTENCE = "A young man in a red shirt is riding a brown horse in front of a large crowd of people.";
const OUTSIDE_BAR = { atMost: 0.15 };
const BURST_MS = 15;
/** Requests of a round; the fastest counts, as with the kernels' bursts. */
const REQUESTS_PER_ROUND = 20;

/** @returns the body of a request for a model's languages */
export function translateRequest({ manifest }: ModelFolder, beamSize: number, text = SENTENCE) {
  const { source_languages, target_languages } = expectTask("translation", manifest.config);
  return { text, source: source_languages[0], target: target_languages[0], model: manifest.id, beam_size: beamSize };
}

export async function benchServing(bundle: Bundle, model: ModelFolder, runs: number): Promise<Figure[]> {
  const rounds = Math.ceil(runs / 10);
  const warm = await benchWarm(bundle, model, runs);
  const shares = await benchShares(bundle, model, rounds);
  const larger = await makeLarger(model);
  const inLarger = await benchShares(bundle, larger.folder, Math.ceil(rounds / 2));
  const prefix = `${(larger.parameters / 1e6).toFixed(0)} M random parameters: `;
  return [...warm, ...shares, ...inLarger.map((figure) => ({ ...figure, name: named(prefix, figure.name) }))];
}

/** The first of what belongs together says of which model it is. */
const named = (prefix: string, name: string) => (name.startsWith(" ") ? name : prefix + name);

/** A model as large as they come here, whose translations are as long as what is translated. */
async function makeLarger({ contents }: ModelFolder) {
  const { config, ...rest } = makeRandomModel(LARGE_MODEL);
  const generation = { ...config.generation, max_length_ratio: 1, max_length_bias: 0 };
  const folder = await makeRandomFolder(
    { ...rest, config: { ...config, generation } },
    contents.get("tokenizer.json")!,
  );
  return { folder, parameters: rest.parameters };
}

async function benchWarm(bundle: Bundle, model: ModelFolder, runs: number): Promise<Figure[]> {
  const variants = [
    { name: "12-word sentence, warm, greedy, in workerd", beamSize: 1, bar: { atMost: 25 } },
    { name: "the same with beam 5", beamSize: 5, bar: undefined },
  ];
  const samples = variants.map(() => ({ total: [] as number[], generate: [] as number[] }));
  const workerd = await startWorkerd(bundle, model);
  try {
    // The first calls run the baseline compiler's code; they are the cold figure's.
    for (let run = -runs; run < runs; run++) {
      for (const [i, { beamSize }] of variants.entries()) {
        const { answer, ms } = await workerd.translate(translateRequest(model, beamSize));
        if (run < 0) continue;
        samples[i]!.total.push(ms);
        samples[i]!.generate.push(answer.timing.generate_ms);
      }
    }
  } finally {
    await workerd.close();
  }
  return variants.flatMap(({ name, bar }, i) => [
    summarize(name, "ms", samples[i]!.total, bar),
    summarize("  of it generation, by the Worker's clock", "ms", samples[i]!.generate),
  ]);
}

interface Shares {
  /** Milliseconds of a request, of one that computes nothing, of the engine, and of the kernels. */
  total: number;
  http: number;
  engine: number;
  kernels: number;
  /** CPU time of a request, all threads; undefined where the system does not say. */
  cpu: number | undefined;
}

/** How much of a request is spent in the kernels, and how much around them. */
async function benchShares(bundle: Bundle, model: ModelFolder, rounds: number): Promise<Figure[]> {
  const config = expectTask("translation", model.manifest.config);
  const tokenizer = Tokenizer.fromJson(new TextDecoder().decode(model.contents.get("tokenizer.json")));
  const source = tokenizer.encode(LONGER_SENTENCE);
  const request = translateRequest(model, 1, LONGER_SENTENCE);
  const workerd = await startWorkerd(bundle, model);
  const engine = await startBenchWorker(new URL("../models/worker.ts", import.meta.url));
  const samples: Shares[] = [];
  try {
    await engine.post("/weights", model.contents.get("model.safetensors"));
    await engine.post("/load", { config, build: "relaxed" } satisfies LoadRequest);
    for (let round = -1; round < rounds; round++) {
      const requests = { total: Infinity, http: Infinity };
      const cpuBefore = await workerd.cpuMs();
      for (let i = 0; i < REQUESTS_PER_ROUND; i++) {
        requests.total = Math.min(requests.total, (await workerd.translate(request)).ms);
      }
      const cpuAfter = await workerd.cpuMs();
      for (let i = 0; i < REQUESTS_PER_ROUND; i++) requests.http = Math.min(requests.http, await workerd.ping());
      const timing: TimeRequest = { tokens: source, burstMs: BURST_MS };
      const { ms, kernelMs } = await engine.post<RunTimes>("/time/translation", timing);
      const cpu = cpuAfter === undefined ? undefined : (cpuAfter - cpuBefore!) / REQUESTS_PER_ROUND;
      // The first round compiles.
      if (round >= 0) samples.push({ ...requests, engine: ms, kernels: kernelMs, cpu });
    }
  } finally {
    await Promise.all([workerd.close(), engine.close()]);
  }
  return shareFigures(`${source.length + 1}-token sentence, greedy, fastest of ${REQUESTS_PER_ROUND}`, samples);
}

function shareFigures(title: string, samples: Shares[]): Figure[] {
  const each = (value: (sample: Shares) => number) => samples.map(value);
  const figures = [
    summarize(
      title,
      "ms",
      each(({ total }) => total),
    ),
    summarize(
      "  HTTP alone: a request that computes nothing",
      "ms",
      each(({ http }) => http),
    ),
    summarize(
      "  the engine, tokens in and tokens out",
      "ms",
      each(({ engine }) => engine),
    ),
    summarize(
      "  of it the kernels",
      "ms",
      each(({ kernels }) => kernels),
    ),
    summarize(
      "share outside the kernels, of the engine",
      "of it",
      each((s) => 1 - s.kernels / s.engine),
    ),
  ];
  if (samples.every(({ cpu }) => cpu !== undefined)) {
    figures.push(
      summarize(
        "CPU time of the request, all threads of workerd",
        "ms",
        each(({ cpu }) => cpu!),
      ),
      summarize(
        "share outside the kernels, of the CPU time",
        "of it",
        each((s) => 1 - s.kernels / s.cpu!),
      ),
    );
  }
  figures.push(
    summarize(
      "share outside the kernels, of the request less what HTTP alone costs",
      "of it",
      each((s) => 1 - s.kernels / (s.total - s.http)),
    ),
    summarize(
      "  routing, validation, tokenizer and JSON: the request less HTTP alone and the engine",
      "ms",
      each((s) => s.total - s.http - s.engine),
    ),
  );
  const name = "share outside the kernels, of the whole request";
  figures.push(
    summarize(
      name,
      "of it",
      each((s) => 1 - s.kernels / s.total),
      OUTSIDE_BAR,
    ),
  );
  return figures;
}

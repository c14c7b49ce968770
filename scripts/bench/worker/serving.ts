/**
 * Latency as a client sees it, through HTTP, workerd, R2 and the kernels, and where it goes. The kernels' time is the
 * same translation's played back in workerd without anything around it (model-bench.ts), in turns with the requests.
 */
import { expectTask } from "../../../worker/model/config.ts";
import { Tokenizer } from "../../../worker/model/tokenizer.ts";
import type { ModelFolder } from "../../publish/model-folder.ts";
import { startBenchWorker } from "../bench-worker.ts";
import type { Bundle } from "./bundle.ts";
import { type Figure, summarize } from "../figures.ts";
import type { RunTimes } from "../models/translation.ts";
import type { LoadRequest, TimeRequest } from "../models/worker.ts";
import { startWorkerd } from "./workerd.ts";

/** Twelve words, of the kind the model knows. */
export const SENTENCE = "A young man in a red shirt is riding a brown horse.";
/** Twenty tokens in the shipped vocabulary, give or take one. */
const LONGER_SENTENCE = "A young man in a red shirt is riding a brown horse in front of a large crowd of people.";
const OUTSIDE_BAR = { atMost: 0.15 };
const BURST_MS = 15;
/** Requests of a round; the fastest counts, as with the kernels' bursts. */
const REQUESTS_PER_ROUND = 10;

/** @returns the body of a request for a model's languages */
export function translateRequest({ manifest }: ModelFolder, beamSize: number, text = SENTENCE) {
  const { source_languages, target_languages } = expectTask("translation", manifest.config);
  return { text, source: source_languages[0], target: target_languages[0], model: manifest.id, beam_size: beamSize };
}

export async function benchServing(bundle: Bundle, model: ModelFolder, runs: number): Promise<Figure[]> {
  return [...(await benchWarm(bundle, model, runs)), ...(await benchShares(bundle, model, Math.ceil(runs / 10)))];
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

/** How much of a request is spent in the kernels, and how much around them. */
async function benchShares(bundle: Bundle, model: ModelFolder, rounds: number): Promise<Figure[]> {
  const config = expectTask("translation", model.manifest.config);
  const tokenizer = Tokenizer.fromJson(new TextDecoder().decode(model.contents.get("tokenizer.json")));
  const source = tokenizer.encode(LONGER_SENTENCE);
  const request = translateRequest(model, 1, LONGER_SENTENCE);
  const workerd = await startWorkerd(bundle, model);
  const engine = await startBenchWorker(new URL("../models/worker.ts", import.meta.url));
  const samples: { total: number; http: number; engine: number; kernels: number }[] = [];
  try {
    await engine.post("/weights", model.contents.get("model.safetensors"));
    await engine.post("/load", { config, build: "relaxed" } satisfies LoadRequest);
    for (let round = -1; round < rounds; round++) {
      let total = Infinity;
      let http = Infinity;
      for (let i = 0; i < REQUESTS_PER_ROUND; i++) {
        total = Math.min(total, (await workerd.translate(request)).ms);
        http = Math.min(http, await workerd.ping());
      }
      const times = await engine.post<RunTimes>("/time/translation", { tokens: source, burstMs: BURST_MS } satisfies TimeRequest);
      if (round >= 0) samples.push({ total, http, engine: times.ms, kernels: times.kernelMs });
    }
  } finally {
    await Promise.all([workerd.close(), engine.close()]);
  }
  const each = (value: (sample: (typeof samples)[number]) => number) => samples.map(value);
  const outside = ({ total, kernels }: (typeof samples)[number]) => 1 - kernels / total;
  const inEngine = (sample: (typeof samples)[number]) => 1 - sample.kernels / sample.engine;
  return [
    summarize(`${source.length + 1}-token sentence, greedy, fastest of ${REQUESTS_PER_ROUND}`, "ms", each((s) => s.total)),
    summarize("  HTTP alone: a request that computes nothing", "ms", each((s) => s.http)),
    summarize("  the engine, tokens in and tokens out", "ms", each((s) => s.engine)),
    summarize("  of it the kernels", "ms", each((s) => s.kernels)),
    summarize("share outside the kernels, of the engine", "of it", each(inEngine)),
    summarize("share outside the kernels, of the whole request", "of it", each(outside), OUTSIDE_BAR),
  ];
}

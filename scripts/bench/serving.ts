/** Latency as a client sees it: warm and cold, through HTTP, workerd, R2 and the kernels. */
import type { ModelFolder } from "../publish/model-folder.ts";
import type { Bundle } from "./bundle.ts";
import { type Figure, summarize } from "./figures.ts";
import { startWorkerd } from "./workerd.ts";

/** Twelve words, of the kind the model knows. */
export const SENTENCE = "A young man in a red shirt is riding a brown horse.";

export async function benchServing(
  bundle: Bundle,
  model: ModelFolder,
  runs: { warm: number; cold: number },
): Promise<Figure[]> {
  const { id, config } = model.manifest;
  const [source, target] = [config.source_languages[0]!, config.target_languages[0]!];
  const request = { text: SENTENCE, source, target, model: id };
  return [
    ...(await benchWarm(bundle, model, request, runs.warm)),
    ...(await benchCold(bundle, model, request, runs.cold)),
  ];
}

async function benchWarm(bundle: Bundle, model: ModelFolder, request: object, runs: number): Promise<Figure[]> {
  const variants = [
    { name: "12-word sentence, warm, greedy, in workerd", body: { ...request, beam_size: 1 }, bar: { atMost: 25 } },
    { name: "the same with beam 5", body: { ...request, beam_size: 5 }, bar: undefined },
  ];
  const samples = variants.map(() => ({ total: [] as number[], generate: [] as number[] }));
  const workerd = await startWorkerd(bundle, model);
  try {
    // The first calls run the baseline compiler's code; they are the cold figure's.
    for (let run = -runs; run < runs; run++) {
      for (const [i, { body }] of variants.entries()) {
        const { answer, ms } = await workerd.translate(body);
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

async function benchCold(bundle: Bundle, model: ModelFolder, request: object, runs: number): Promise<Figure[]> {
  const first: number[] = [];
  const load: number[] = [];
  for (let run = 0; run < runs; run++) {
    const workerd = await startWorkerd(bundle, model);
    try {
      const { answer, ms } = await workerd.translate(request);
      first.push(ms);
      load.push(answer.timing.load_ms);
    } finally {
      await workerd.close();
    }
  }
  return [
    summarize("first answer of a cold isolate, model from local R2", "ms", first, { atMost: 400 }),
    summarize("  of it loading the model", "ms", load),
  ];
}

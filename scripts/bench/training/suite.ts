/** Training on one core: our forward and backward pass beside jax-js on its wasm backend, the same network and batch. */
import type { TranslationConfig } from "../../../worker/model/config.ts";
import { startChild } from "../child.ts";
import { type Figure, ratios, summarize } from "../figures.ts";
import type { methods as Contender } from "./node.ts";

export async function benchTraining(config: TranslationConfig, rounds: number): Promise<Figure[]> {
  const [ours, jax] = [0, 1].map(() => startChild<typeof Contender>(new URL("node.ts", import.meta.url)));
  try {
    await ours!.open("cpu", config);
    await jax!.open("wasm", config);
    const rates: { ours: number[]; jax: number[] } = { ours: [], jax: [] };
    for (let round = 0; round < rounds; round++) {
      rates.ours.push(await ours!.step());
      rates.jax.push(await jax!.step());
    }
    return [
      summarize("training, one core, our kernels", "target tokens/s", rates.ours),
      summarize("the same, jax-js on wasm", "target tokens/s", rates.jax),
      summarize("our kernels beside jax-js", "×", ratios(rates.ours, rates.jax)),
    ];
  } finally {
    await Promise.all([ours!.close(), jax!.close()]);
  }
}

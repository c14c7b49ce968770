import { readFileSync } from "node:fs";
import { classificationConfigSchema } from "../worker/model/config.ts";
import { AdamW } from "./training/optimizer.ts";
import { initializeParameters, parameterCount, parameterSlices } from "./training/parameters.ts";
import { createReplica } from "./training/replica.ts";
import { maskedBatches } from "./training/text-batches.ts";

const config = classificationConfigSchema.parse(JSON.parse(readFileSync("runs/multitask-en/config.json", "utf8")));
const slices = parameterSlices(config);
const p = new Float32Array(parameterCount(slices));
initializeParameters(p, slices, config, 1);
const g = new Float32Array(p.length);
const T = Number(process.argv[2] ?? 30);
const texts = Array.from({ length: 3000 }, () => ({
  tokens: Array.from({ length: T }, () => 3 + Math.floor(Math.random() * 15000)),
}));
const r = await createReplica({
  device: "cpu",
  objective: { kind: "masked-tokens", config },
  regularization: { dropout: 0.1, labelSmoothing: 0 },
});
const batches = [...maskedBatches(texts, { rows: 16, length: 128, slots: 16 }, config, 1, 1)]
  .slice(0, 8)
  .map((b) => b[0]!);
const opt = new AdamW(p.length, slices, { beta1: 0.9, beta2: 0.98, eps: 1e-9, weightDecay: 0.05, maxNorm: 1 });
let i = 0;
const times: number[] = [];
const at: number[] = [];
for (const b of [...batches, ...batches]) {
  const t = performance.now();
  await r.gradients(p, b, i++, g);
  const u = performance.now();
  opt.update(p, [g, g], 1 / b.count, 1e-3, i);
  times.push(u - t);
  at.push(performance.now() - u);
}
times.sort((a, b) => a - b);
at.sort((a, b) => a - b);
console.log(
  "tokens",
  batches[0]!.tokens,
  "best ms",
  times[0]!.toFixed(0),
  "median",
  times[8]!.toFixed(0),
  "tok/s/core best",
  ((batches[0]!.tokens / times[0]!) * 1000).toFixed(0),
  "adam",
  at[0]!.toFixed(0),
  at[8]!.toFixed(0),
);

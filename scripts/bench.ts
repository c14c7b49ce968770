/**
 * `npm run bench`: what the project promises, measured here and now: latency warm and cold in workerd, memory, size.
 * Figures of one machine at one time; what other programs do on it shows in the spread.
 */
import { cpus } from "node:os";
import { Command } from "commander";
import { buildBundle, weighBundle } from "./bench/bundle.ts";
import { formatFigures, meetsBar } from "./bench/figures.ts";
import { benchMemory } from "./bench/memory.ts";
import { benchServing } from "./bench/serving.ts";
import { fail, positiveInteger, writeJson } from "./cli.ts";
import { findModelFolder, readModelFolder } from "./publish/model-folder.ts";

interface Options {
  model: string;
  warm: number;
  cold: number;
  json?: string;
}

async function main({ model, warm, cold, json }: Options): Promise<void> {
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, Node ${process.versions.node}`;
  console.log(`${model} on ${machine}`);
  const folder = await readModelFolder(await findModelFolder(model));
  const bundle = await buildBundle();
  const figures = [
    ...(await benchServing(bundle, folder, { warm, cold })),
    ...(await benchMemory(folder)),
    await weighBundle(bundle),
  ];
  console.log(formatFigures(figures));
  if (json) await writeJson(json, { model, machine, figures: figures.map((f) => ({ ...f, met: meetsBar(f) })) });
}

await new Command("bench")
  .option("--model <id>", "a model's id or folder", "multi30k-en-de")
  .option("--warm <n>", "counted warm requests", positiveInteger, 100)
  .option("--cold <n>", "cold starts", positiveInteger, 9)
  .option("--json <file>", "write the figures as JSON, too")
  .action((options: Options) => main(options).catch(fail))
  .parseAsync();

/** Classifies lines with the Worker's own code. */
import { chooseModel, classifyTexts, findHeads } from "../../worker/classify.ts";
import { loadClassifier } from "../../worker/engine/load.ts";
import type { LoadedModel } from "../../worker/loaded-model.ts";
import { isManifestFor, type Manifest } from "../../worker/model/manifest.ts";
import { type Plan, planWindows } from "../../worker/plan-windows.ts";
import { cleanText, scriptTest } from "../../worker/text/clean.ts";
import { tokenizerOf, weightsOf } from "../publish/model-folder.ts";
import { readKernels, readModels } from "./models.ts";
import type { CommonOptions } from "./options.ts";
import { type Result, type TextModel, toError } from "./text-model.ts";

export interface ClassifyOptions {
  task?: string;
  topK: number;
  threshold: number;
}

/** @throws Error if no model knows the tasks */
export async function openClassifier(options: CommonOptions & ClassifyOptions): Promise<TextModel> {
  const folders = await readModels("classification", options.model);
  const wanted = options.task?.split(",") ?? [];
  const manifests = folders
    .map(({ manifest }) => manifest)
    .filter((manifest) => isManifestFor("classification", manifest));
  const manifest: Manifest<"classification"> = chooseModel(manifests, wanted, []);
  const { config } = manifest;
  findHeads(config, wanted);
  const folder = folders.find((one) => one.manifest === manifest)!;
  const model: LoadedModel<"classification"> = {
    manifest,
    tokenizer: tokenizerOf(folder),
    engine: await loadClassifier(config, weightsOf(folder), await readKernels(options)),
    readsScript: scriptTest(config.source_scripts),
  };
  const tasks = wanted.length > 0 ? wanted : config.heads.map(({ name }) => name);
  const classifyOptions = { ...options, tasks, explain: false, signal: new AbortController().signal };
  return {
    async answer(texts) {
      const plans = texts.map((text) => {
        try {
          return planWindows([cleanText(text)], model)[0]!;
        } catch (error) {
          return toError(error);
        }
      });
      const good = plans.filter((plan): plan is Plan[number] => !(plan instanceof Error));
      const classifications = await classifyTexts(good, model, classifyOptions);
      let next = 0;
      return plans.map((plan, i): Result => {
        if (plan instanceof Error) return plan;
        const { tasks: answers } = classifications[next++]!;
        const labels = tasks.map((task) => answers[task]!.label ?? answers[task]!.reason!);
        const line = tasks.length === 1 ? labels[0]! : tasks.map((task, j) => `${task}=${labels[j]}`).join("\t");
        return { line, json: { text: texts[i]!, tasks: answers, model: manifest.id } };
      });
    },
  };
}

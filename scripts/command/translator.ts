/** Translates lines with the Worker's own code: cut into sentences, batched, put together again. */
import { loadTransformer } from "../../worker/engine/load.ts";
import type { LoadedModel } from "../../worker/loaded-model.ts";
import { expectTask } from "../../worker/model/config.ts";
import { isManifestFor } from "../../worker/model/manifest.ts";
import { scriptTest } from "../../worker/text/clean.ts";
import { chooseSource } from "../../worker/text/detect.ts";
import { matchLanguage } from "../../worker/text/languages.ts";
import { type Plan, planTranslation, translate } from "../../worker/translate.ts";
import { type ModelFolder, tokenizerOf, weightsOf } from "../publish/model-folder.ts";
import { readKernels, readModels } from "./models.ts";
import type { CommonOptions } from "./options.ts";
import { type Result, type TextModel, toError } from "./text-model.ts";

export interface TranslateOptions {
  source?: string;
  target?: string;
  beam?: number;
}

/** @throws Error if no model knows the languages */
export async function openTranslator(options: CommonOptions & TranslateOptions): Promise<TextModel> {
  const folder = chooseFolder(await readModels("translation", options.model), options);
  const { manifest } = folder;
  if (!isManifestFor("translation", manifest)) throw new Error(`${manifest.id}: expected a model for translation`);
  const config = expectTask("translation", manifest.config);
  const model: LoadedModel<"translation"> = {
    manifest,
    tokenizer: tokenizerOf(folder),
    engine: await loadTransformer(config, weightsOf(folder), await readKernels(options)),
    readsScript: scriptTest(config.source_scripts),
  };
  const beamSize = options.beam ?? config.generation.beam_size;
  const target = options.target ?? config.target_languages[0]!;
  return {
    async answer(texts) {
      const plans = texts.map((text) => planLine(text, options.source, model));
      const good = plans.filter((plan) => !(plan instanceof Error)) as Plan[];
      const signal = new AbortController().signal;
      const translations = await translate(good.flat(), model, { beamSize, signal });
      let next = 0;
      return plans.map((plan, i): Result => {
        if (plan instanceof Error) return plan;
        const { text: line, score } = translations[next++]!;
        return { line, json: { text: texts[i]!, translation: line, score, target, model: manifest.id } };
      });
    },
  };
}

function chooseFolder(folders: ModelFolder[], { source, target }: TranslateOptions): ModelFolder {
  const found = folders.find(({ manifest }) => {
    const { source_languages, target_languages } = expectTask("translation", manifest.config);
    const knowsSource = source === undefined || matchLanguage(source_languages, source);
    return knowsSource && (target === undefined || matchLanguage(target_languages, target));
  });
  if (found) return found;
  const pairs = folders.map(({ manifest }) => {
    const { source_languages, target_languages } = expectTask("translation", manifest.config);
    return `${source_languages.join("|")} → ${target_languages.join("|")}`;
  });
  throw new Error(`expected languages of ${pairs.join(", ")}; got ${source ?? "any"} → ${target ?? "any"}`);
}

function planLine(text: string, source: string | undefined, model: LoadedModel<"translation">): Plan | Error {
  const { source_languages } = model.manifest.config;
  const language = source ?? chooseSource(text, source_languages).language;
  if (!matchLanguage(source_languages, language)) {
    return new Error(`expected ${source_languages.join(" or ")}, it looks like ${language}; --source says otherwise`);
  }
  try {
    return planTranslation([text], language, model);
  } catch (error) {
    return toError(error);
  }
}

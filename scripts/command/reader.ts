/** Answers questions from a file with the Worker's own code. */
import { readFile } from "node:fs/promises";
import { chooseAnswer, chooseReader, findSpans } from "../../worker/answer.ts";
import { loadReader } from "../../worker/engine/load.ts";
import { isManifestFor } from "../../worker/model/manifest.ts";
import { tokenizerOf, weightsOf } from "../publish/model-folder.ts";
import { readKernels, readModels } from "./models.ts";
import type { CommonOptions } from "./options.ts";
import { type Result, type TextModel, toError } from "./text-model.ts";

export interface AnswerOptions {
  /** A text file. */
  context: string;
  topK: number;
  threshold?: number;
}

/** What is printed where there is no answer: nobody's text has it by chance. */
const NO_ANSWER = { below_threshold: "(no answer)", no_text: "(no text)" } as const;

/** @throws Error if there is no such file, or no model reads it */
export async function openReader(options: CommonOptions & AnswerOptions): Promise<TextModel> {
  const context = await readContext(options.context);
  const folders = await readModels("question-answering", options.model);
  const manifests = folders
    .map(({ manifest }) => manifest)
    .filter((manifest) => isManifestFor("question-answering", manifest));
  const manifest = chooseReader(manifests, { context });
  const { config } = manifest;
  const folder = folders.find((one) => one.manifest === manifest)!;
  const engine = await loadReader(config, weightsOf(folder), await readKernels(options));
  const model = { config, engine, tokenizer: tokenizerOf(folder) };
  const answerOne = async (question: string): Promise<Result> => {
    chooseReader([manifest], { question });
    const found = await findSpans(model, question, context, { count: options.topK });
    const answer = chooseAnswer(found, options.threshold ?? config.no_answer_below);
    const line = answer.answer ?? NO_ANSWER[answer.reason!];
    return { line, json: { question, ...answer, model: manifest.id } };
  };
  return {
    async answer(questions) {
      const results: Result[] = [];
      for (const question of questions) results.push(await answerOne(question).catch(toError));
      return results;
    },
  };
}

async function readContext(path: string): Promise<string> {
  const bytes = await readFile(path).catch((cause: Error) => {
    throw new Error(`--context: cannot read ${path}: ${cause.message}`, { cause });
  });
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new Error(`--context: expected text in UTF-8, ${path} is none`, { cause });
  }
}

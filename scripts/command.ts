/**
 * `edge-slm translate`, `classify`, `answer`, `embed` and `recommend`: texts, questions, or histories of ids, from
 * arguments, standard input, a file or a folder through the
 * Worker's engine in this process; no server, no network. A line is a text. What fails of it is told on standard error
 * with its place, and leaves its line empty; the exit code is 1 then.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import { fail, positiveInteger } from "./cli.ts";
import { type ClassifyOptions, openClassifier } from "./command/classifier.ts";
import { openEmbedder } from "./command/embedder.ts";
import { type KnowledgeOptions, openKnowledge } from "./command/knowledge.ts";
import type { CommonOptions } from "./command/options.ts";
import { type AnswerOptions, openReader } from "./command/reader.ts";
import { openRecommender, type RecommendOptions } from "./command/recommender.ts";
import { runCommand } from "./command/run.ts";
import type { TextModel } from "./command/text-model.ts";
import { openTranslator, type TranslateOptions } from "./command/translator.ts";
import { KERNEL_BUILDS } from "./kernels.ts";

function withCommon(command: Command): Command {
  return command
    .argument("[text...]", "texts; without any, the lines of standard input")
    .option("--in <path>", "read the lines of a file, or of every text file in a folder")
    .option("--out <path>", "write to a file, or with a folder as --in into a folder")
    .option("--json", "write a JSON object a line")
    .option("--model <id>", "a model's id or folder (default: the first of models/ that fits)")
    .addOption(new Option("--kernels <build>", "which kernels").choices(KERNEL_BUILDS).default("relaxed"));
}

function openAnswerer(options: CommonOptions & Partial<AnswerOptions & KnowledgeOptions>): Promise<TextModel> {
  const { context, knowledge, topK = 3 } = options;
  if ((context === undefined) === (knowledge === undefined))
    throw new Error("expected either --context or --knowledge");
  return context === undefined
    ? openKnowledge({ ...options, topK, knowledge: knowledge! })
    : openReader({ ...options, topK, context });
}

function share(text: string): number {
  const value = Number(text);
  if (text === "" || !(value >= 0 && value <= 1)) throw new InvalidArgumentError(`expected 0 to 1, got ${text}`);
  return value;
}

// `edge-slm translate … | head` ends the reader before the writer, and that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  fail(error);
});

const program = new Command("edge-slm").description("Small language models on this machine");

withCommon(program.command("translate"))
  .description("Translates texts")
  .option("--source <language>", "language of the texts (default: detected)")
  .option("--target <language>", "language to translate into (default: the model's)")
  .option("--beam <n>", "beam size, 1 is greedy (default: the model's)", positiveInteger)
  .action((texts: string[], options: CommonOptions & TranslateOptions) =>
    runCommand(texts, options, () => openTranslator(options)).catch(fail),
  );

withCommon(program.command("classify"))
  .description("Classifies texts")
  .option("--task <names>", "only these tasks, separated by commas (default: all that the model knows)")
  .option("--top-k <n>", "labels of each task in JSON", positiveInteger, 5)
  .option("--threshold <share>", "no label that is less probable", share, 0)
  .action((texts: string[], options: CommonOptions & ClassifyOptions) =>
    runCommand(texts, options, () => openClassifier(options)).catch(fail),
  );

withCommon(program.command("answer"))
  .description("Answers questions from a text, or from pairs and documents as a knowledge base does")
  .option("--context <file>", "the text in which the answers stand")
  .option("--knowledge <file>", "or entries of a knowledge base: .csv, .jsonl, .json or .md")
  .option("--top-k <n>", "parts of the text in JSON, the answer and its alternatives", positiveInteger, 3)
  .option("--threshold <share>", "no answer that is less sure (default: the model's)", share)
  .action((questions: string[], options: CommonOptions & Partial<AnswerOptions & KnowledgeOptions>) =>
    runCommand(questions, options, () => openAnswerer(options)).catch(fail),
  );

withCommon(program.command("embed"))
  .description("Turns texts into vectors")
  .action((texts: string[], options: CommonOptions) =>
    runCommand(texts, options, () => openEmbedder(options)).catch(fail),
  );

withCommon(program.command("recommend"))
  .description("Recommends items to the owner of a history: a line of ids, oldest first, or a JSON list of them")
  .option("--top-k <n>", "items to recommend, at most", positiveInteger, 10)
  .option("--include-seen", "also what is in the history")
  .option("--only <ids>", "nothing but these, separated by commas")
  .option("--except <ids>", "none of these, separated by commas")
  .action((ids: string[], options: CommonOptions & RecommendOptions) =>
    // What stands on the command line is one history.
    runCommand(ids.length > 0 ? [ids.join(" ")] : [], options, () => openRecommender(options)).catch(fail),
  );

await program.parseAsync();

/**
 * Trains a classification recipe: the vocabulary on all its texts, the encoder on hidden tokens if the recipe says so,
 * then every head together. Pre-training is a run of its own, in `<run>/pretrained`.
 */

import { join } from "node:path";
import { type ClassificationConfig, classificationConfigSchema } from "../../worker/model/config.ts";
import { MAX_N_GRAM, NGrams } from "../../worker/model/n-grams.ts";
import { CORPUS_WORDS, cacheWords } from "../../worker/model/word-cache.ts";
import type { ClassificationRecipe } from "../recipes/recipe.ts";
import { setNGrams, setTokenVectors } from "./begin-embedding.ts";
import { type Progress, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { chooseNGrams } from "./choose-n-grams.ts";
import { classificationTask } from "./classification-task.ts";
import { createAccuracyScore } from "./dev-score.ts";
import { openConfig, openNGrams, openTokenizer } from "./prepare.ts";
import { pretrainingTask } from "./pretraining-task.ts";
import { type RunOptions, rowsPerStep, trainingOf } from "./run-options.ts";
import { shares } from "./sampling.ts";
import { runSession } from "./session.ts";
import type { LabelledTokens, TextShape } from "./text-batches.ts";
import { allWindows, encodeTexts, type LoadedHead, loadHeads, withTaught } from "./texts.ts";

/** Every so manyth text is held out of pre-training. */
const HELD_OUT = 50;
/** Of a checkpoint that no step was taken from. */
const BEGINNING: Progress = { step: 0, epoch: 0, group: 0, bestScore: -1, bestStep: 0, elapsedS: 0 };

/**
 * @param begin the parameters to begin with, flat; default: what the recipe's pre-training leaves, or random ones
 * @returns whether it came to the end, or was stopped
 */
export async function trainClassification(
  recipe: ClassificationRecipe,
  options: RunOptions,
  begin?: (config: ClassificationConfig) => Float32Array,
): Promise<boolean> {
  const { id, pretraining } = recipe;
  const { runDir, device, count, data } = options;
  const training = trainingOf(recipe, options);
  const heads = await withTaught(recipe, await loadHeads(recipe, data));
  const plain = pretraining ? await pretraining.loadTexts(data) : [];
  const texts = () => [...heads.flatMap(({ train }) => train.map(({ text }) => text)), ...plain];
  const vocabulary = { vocabSize: recipe.config.vocab_size, lowercase: recipe.lowercase };
  const tokenizer = await openTokenizer(runDir, texts, vocabulary);
  const encode = (split: "train" | "dev") =>
    heads.map((head, i) => encodeTexts(head[split], i, head.labels, tokenizer));
  const [train, dev] = [encode("train"), encode("dev")];
  const nGrams = await nGramsFor(recipe, train, runDir);
  const config = await openConfig(runDir, classificationConfigSchema, configOf(recipe, heads, nGrams));

  const windows = () => {
    const encode = cacheWords(tokenizer.encode, CORPUS_WORDS);
    return texts().flatMap((text) => allWindows(encode(text), recipe.rowLength - 1));
  };
  const hidden = pretraining?.hiddenTokens;
  if (hidden && !begin && !(await nameHiddenTokens(recipe, hidden, config, windows(), options))) return false;

  const shape = shapeOf(recipe, rowsPerStep(training, device), count);
  const task = classificationTask({
    config,
    shape,
    count,
    nGrams: nGrams && new NGrams(nGrams, config.vocab_size),
    train,
    dev,
    epochTexts: recipe.epochTexts,
    samplingExponent: recipe.samplingExponent,
    factors: factorsOf(recipe),
    tokenDropout: recipe.tokenDropout,
    nGramDropout: recipe.nGramDropout ?? 0,
    seed: training.seed,
    score: await createAccuracyScore(config, dev),
  });
  const sizes = heads
    .map(({ name, labels, train }) => `${name} ${train.length} of ${labels.length} classes`)
    .join(", ");
  console.log(`${id}: ${sizes}; ${task.stepsPerEpoch} steps an epoch; ${count} × ${device}; run folder ${runDir}`);
  const { done, score, step } = await runSession({
    device,
    count,
    runDir,
    objective: { kind: "classification", config },
    training,
    task,
    scoreName: "accuracy",
    initialize: async (parameters) => {
      if (begin) parameters.set(begin(config));
      else if (hidden)
        parameters.set((await readCheckpoint(join(pretrainedDir(runDir), "best.safetensors"), config)).parameters);
      else if (pretraining) setTokenVectors(parameters, config, windows(), training.seed);
      // Last, for pre-training knows nothing of them.
      if (nGrams) setNGrams(parameters, config, nGrams);
      // The mean with what came of it may be better than either (export/average.ts).
      if (begin) await writeCheckpoint(join(runDir, "first.safetensors"), config, parameters, BEGINNING);
    },
  });
  if (done) console.log(`done: best dev accuracy ${score.toFixed(2)} at step ${step}`);
  return done;
}

const factorsOf = ({ heads }: ClassificationRecipe) => heads.map(({ factor }) => factor ?? 1);

/** The n-grams of the run, [n-grams, MAX_N_GRAM] tokens, if the recipe wants any. */
async function nGramsFor(
  recipe: ClassificationRecipe,
  train: LabelledTokens[][],
  runDir: string,
): Promise<Int32Array | undefined> {
  const { config } = recipe;
  if (config.model_type !== "edge-slm-encoder" || !config.n_grams) return undefined;
  const texts = train.map(({ length }) => length);
  const counts = shares(texts, recipe.samplingExponent, config.n_grams, factorsOf(recipe));
  return openNGrams(runDir, () => chooseNGrams(train, counts, config.vocab_size));
}

function configOf(recipe: ClassificationRecipe, heads: LoadedHead[], nGrams?: Int32Array): ClassificationConfig {
  return {
    ...recipe.config,
    ...(nGrams && { n_grams: nGrams.length / MAX_N_GRAM }),
    heads: heads.map(({ name, labels, outOfScope }) => ({ name, labels, temperature: 1, out_of_scope: outOfScope })),
    card: {
      ...recipe.config.card,
      // The strictest of them holds for the model; the card lists them all.
      licence: "see the training data",
      training_data: [
        ...recipe.heads.flatMap(({ sets, taught }, head) =>
          [...sets.map(({ card }) => card), ...(taught ? [taught] : [])].map(({ name, licence }, set) => ({
            name,
            licence,
            rows: heads[head]!.rows[set]!,
          })),
        ),
        ...(recipe.pretraining?.data ?? []),
      ],
      quality: {},
    },
  };
}

function shapeOf({ rowLength, slots }: ClassificationRecipe, rows: number, count: number): TextShape {
  return { rows: Math.ceil(rows / count), length: rowLength, slots };
}

const pretrainedDir = (runDir: string) => join(runDir, "pretrained");

/** Pre-training, in a run folder of its own. @returns whether it came to its end */
async function nameHiddenTokens(
  recipe: ClassificationRecipe,
  { training, epochTokens }: NonNullable<NonNullable<ClassificationRecipe["pretraining"]>["hiddenTokens"]>,
  config: ClassificationConfig,
  windows: number[][],
  { runDir, device, count }: RunOptions,
): Promise<boolean> {
  if (config.model_type !== "edge-slm-encoder") {
    throw new Error(`${recipe.id}: expected an edge-slm-encoder to pre-train, got an ${config.model_type}`);
  }
  const dir = pretrainedDir(runDir);
  await openConfig(dir, classificationConfigSchema, config);
  const shape = shapeOf(recipe, rowsPerStep(training, device), count);
  const task = pretrainingTask({
    config,
    shape,
    count,
    train: windows.filter((_, i) => i % HELD_OUT !== 0),
    dev: windows.filter((_, i) => i % HELD_OUT === 0),
    epochTokens,
    seed: training.seed,
  });
  console.log(
    `${recipe.id}: pre-training on ${epochTokens} tokens an epoch, ${task.stepsPerEpoch} steps; run folder ${dir}`,
  );
  const { done } = await runSession({
    device,
    count,
    runDir: dir,
    objective: { kind: "masked-tokens", config },
    training,
    task,
    scoreName: "probability of hidden tokens, %",
    initialize: (parameters) => setTokenVectors(parameters, config, windows, training.seed),
  });
  return done;
}

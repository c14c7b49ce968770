/**
 * `npm run train -- recommend`: from a table of who took what to a recommender that answers. Reads and splits it, trains,
 * exports to `runs/<name>/model`, measures that model on the items it never saw, beside popularity and nearest neighbours,
 * and uploads it into the local bucket.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { loadRecommender } from "../../worker/engine/load.ts";
import { parseConfigOf, type RecommendationConfig } from "../../worker/model/config.ts";
import { checkRecommenderMemory, formatItems } from "../../worker/model/items.ts";
import { type HistorySplits, splitHistories } from "../data/histories.ts";
import { type Interactions, readInteractions } from "../data/interactions.ts";
import { cardFigures, compareBaselines, formatQualities, measureModel } from "../eval/recommendation.ts";
import { exportRecommender } from "../export/recommender.ts";
import { writeModelFolder } from "../export/write-model.ts";
import { loadKernels } from "../kernels.ts";
import { openLocalBucket } from "../publish/bucket.ts";
import { RUN_MODEL, readModelFolder } from "../publish/model-folder.ts";
import { publish } from "../publish/publish.ts";
import { beautyRecommend } from "../recipes/beauty-recommend.ts";
import type { RecommendationRecipe } from "../recipes/recipe.ts";
import { readCheckpoint } from "../training/checkpoint.ts";
import type { DeviceName } from "../training/replica.ts";
import { chooseDevice } from "../training/session.ts";
import { trainRecommendation } from "../training/train-recommendation.ts";
import { checkName, commandOf, nameOf, openRun } from "./own-run.ts";

export interface OwnRecommenderOptions {
  data: string;
  user?: string;
  item?: string;
  time?: string;
  name?: string;
  device: DeviceName | "auto";
  threads?: number;
  epochs?: number;
  upload: boolean;
  persistTo: string;
}

/** The widest of these that fits into an isolate is taken. */
const WIDTHS = [64, 48, 32, 16];
/** Interactions that a whole training sees at most: minutes on two cores. */
const MAX_INTERACTIONS = 4_000_000;
const EPOCHS = { least: 3, most: 60 };
/** With fewer interactions than this a step takes fewer of them, or there would be too few steps. */
const FEW_INTERACTIONS = 100_000;

/** @returns whether it came to the end, or was stopped */
export async function trainOwnRecommender(options: OwnRecommenderOptions): Promise<boolean> {
  const id = options.name ?? nameOf(options.data);
  checkName(id);
  const { user, item, time } = options;
  const table = await readInteractions(options.data, { user, item, time });
  for (const note of table.notes) console.log(`${table.name}: ${note}`);
  const splits = splitHistories(table.sequences);
  console.log(
    `${table.name}: ${table.sequences.length.toLocaleString("en")} users, ${splits.items.length.toLocaleString("en")} items; ` +
      `the last item of ${splits.test.length.toLocaleString("en")} users is to test with, the one before to choose by`,
  );
  const recipe = ownRecommendationRecipe(id, table, splits);
  const runDir = join("runs", id);
  await openRun("recommend", runDir, fingerprintOf(table, options));
  const device = await chooseDevice(options.device, options.threads);
  if (!(await trainRecommendation(recipe, { runDir, ...device, data: {}, epochs: options.epochs }))) return false;

  const trained = parseConfigOf("recommendation", await readFile(join(runDir, "config.json"), "utf8"));
  const { parameters } = await readCheckpoint(join(runDir, "best.safetensors"), trained);
  const { config, file } = await exportRecommender(trained, parameters, splits);
  const quality = await measure(id, config, file, splits);
  const modelDir = join(runDir, RUN_MODEL);
  const epochs = options.epochs;
  await writeModelFolder(modelDir, {
    id,
    config: { ...config, card: { ...config.card, licence: "your own data", quality } },
    vocabulary: formatItems(splits.items),
    file,
    parameters: parameters.length,
    command: commandOf("recommend", { data: basename(options.data), user, item, time, name: options.name, epochs }),
  });
  console.log(
    `\n${modelDir}: ${parameters.length.toLocaleString("en")} parameters, ${file.length.toLocaleString("en")} bytes`,
  );
  const model = await readModelFolder(modelDir);
  if (options.upload) {
    const bucket = await openLocalBucket(options.persistTo);
    const { version } = await publish(bucket, model).finally(() => bucket.close());
    console.log(`${id} ${version} is in the local bucket; npm start serves it, and alone with --model ${id}:`);
    const body = JSON.stringify({ history: config.most_popular.slice(0, 3), model: id });
    console.log(
      `  curl http://127.0.0.1:8787/v1/recommend -H 'content-type: application/json' -d '${body.replaceAll("'", "'\\''")}'`,
    );
  }
  return true;
}

/**
 * What suits a table of that size.
 * @throws Error if there are more items than an isolate can hold
 */
export function ownRecommendationRecipe(
  id: string,
  { name, sequences }: Pick<Interactions, "name" | "sequences">,
  { items }: Pick<HistorySplits, "items">,
): RecommendationRecipe {
  const interactions = sequences.reduce((sum, { length }) => sum + length, 0);
  const most = Math.floor(MAX_INTERACTIONS / interactions);
  const epochs = Math.min(EPOCHS.most, Math.max(EPOCHS.least, most));
  const { training, config } = beautyRecommend;
  return {
    kind: "recommendation",
    id,
    config: { ...config, ...sizesFor(items), card: { description: `What comes next in the histories of ${name}.` } },
    set: { id, title: name, card: { name, url: "", licence: "your own" }, load: async () => sequences },
    training: {
      ...training,
      epochs,
      evaluateEvery: Math.ceil(epochs / 12),
      ...(interactions < FEW_INTERACTIONS && { rowsPerStep: { cpu: 8, webgpu: 16 }, warmupSteps: 20 }),
    },
  };
}

function sizesFor(items: string[]): Pick<RecommendationConfig, "d_model" | "d_ff"> {
  const fileBytes = Buffer.byteLength(formatItems(items));
  const sizes = (d_model: number) => ({ d_model, d_ff: 4 * d_model });
  const fits = (d_model: number) => {
    const { card, ...config } = beautyRecommend.config;
    const whole = { ...config, ...sizes(d_model), vocab_size: items.length, most_popular: [] };
    checkRecommenderMemory({ ...whole, card: { ...card, licence: "", training_data: [], quality: {} } }, fileBytes);
    return true;
  };
  const found = WIDTHS.find((d_model) => {
    try {
      return fits(d_model);
    } catch {
      return false;
    }
  });
  // The narrowest says why it does not fit.
  if (found === undefined) fits(WIDTHS.at(-1)!);
  return sizes(found!);
}

function fingerprintOf({ sequences }: Interactions, { epochs }: OwnRecommenderOptions): string {
  const hash = createHash("sha256");
  for (const sequence of sequences) hash.update(JSON.stringify(sequence));
  return `${JSON.stringify({ sha256: hash.digest("hex"), epochs })}\n`;
}

/** Prints what the int8 model reaches on what it never saw. @returns what stands on the card */
async function measure(
  id: string,
  config: RecommendationConfig,
  file: Uint8Array<ArrayBuffer>,
  splits: HistorySplits,
): Promise<Record<string, number>> {
  const model = await loadRecommender(config, new Blob([file]).stream(), await loadKernels());
  const rows = [...compareBaselines(splits, splits.test), measureModel(id, model, splits.test)];
  console.log(
    `\nOn the last items, full ranking over the catalogue, what a user had left out:\n${formatQualities(rows)}`,
  );
  return cardFigures("test", rows);
}

/** A recommender's float parameters → its int8 file, with nearest neighbours beside the network where they pay and fit. */
import { loadRecommender } from "../../worker/engine/load.ts";
import type { RecommendationConfig } from "../../worker/model/config.ts";
import { checkRecommenderMemory, formatItems } from "../../worker/model/items.ts";
import type { HistorySplits } from "../data/histories.ts";
import { loadKernels } from "../kernels.ts";
import { percent } from "../report/table.ts";
import { chooseNeighbours, NEIGHBOUR_COUNT } from "./neighbours.ts";
import { quantizeModel, type TensorError } from "./quantize.ts";

export interface ExportedRecommender {
  config: RecommendationConfig;
  /** Bytes of model.safetensors. */
  file: Uint8Array<ArrayBuffer>;
  errors: TensorError[];
}

/** @throws Error if an isolate could not hold the model */
export async function exportRecommender(
  trained: RecommendationConfig,
  parameters: Float32Array,
  splits: HistorySplits,
): Promise<ExportedRecommender> {
  const { neighbours: _, ...config } = trained;
  const fileBytes = Buffer.byteLength(formatItems(splits.items));
  checkRecommenderMemory(config, fileBytes);
  const network = quantizeModel(config, parameters);
  if (splits.dev.length === 0 || !hasRoom(config, fileBytes)) return { config, ...network };
  const model = await loadRecommender(config, new Blob([network.file]).stream(), await loadKernels());
  const chosen = chooseNeighbours(model, splits);
  if (!chosen) {
    console.log("nearest neighbours beside the network: no better on dev, left out");
    return { config, ...network };
  }
  const { settings, lists } = chosen;
  console.log(
    `nearest neighbours beside the network: NDCG@10 on a part of dev ${percent(chosen.without)} → ${percent(chosen.with)} %, ` +
      `decay ${settings.decay}, factor ${settings.factor}, weight ${settings.weight}`,
  );
  const whole = { ...config, neighbours: settings };
  return { config: whole, ...quantizeModel(whole, parameters, undefined, lists) };
}

function hasRoom(config: RecommendationConfig, fileBytes: number): boolean {
  try {
    checkRecommenderMemory(
      { ...config, neighbours: { count: NEIGHBOUR_COUNT, decay: 1, factor: 1, weight: 1 } },
      fileBytes,
    );
    return true;
  } catch {
    console.log("nearest neighbours beside the network: no room for them in an isolate, left out");
    return false;
  }
}

/** Recommends to the owners of histories, a line each, with the Worker's own code. */
import { loadRecommender } from "../../worker/engine/load.ts";
import { MAX_RECOMMENDATIONS } from "../../worker/engine/recommender.ts";
import { expectTask } from "../../worker/model/config.ts";
import { isManifestFor } from "../../worker/model/manifest.ts";
import { recommend } from "../../worker/recommend.ts";
import { catalogueOf, weightsOf } from "../publish/model-folder.ts";
import { readKernels, readModels } from "./models.ts";
import type { CommonOptions } from "./options.ts";
import { type Result, type TextModel, toError } from "./text-model.ts";

export interface RecommendOptions {
  topK: number;
  includeSeen?: true;
  only?: string;
  except?: string;
}

/** @throws Error if there is no such model */
export async function openRecommender(options: CommonOptions & RecommendOptions): Promise<TextModel> {
  if (options.topK > MAX_RECOMMENDATIONS) {
    throw new Error(`expected --top-k of at most ${MAX_RECOMMENDATIONS}, got ${options.topK}`);
  }
  const [folder] = await readModels("recommendation", options.model);
  const { manifest } = folder!;
  if (!isManifestFor("recommendation", manifest))
    throw new Error(`${manifest.id}: expected a model for recommendation`);
  const config = expectTask("recommendation", manifest.config);
  const engine = await loadRecommender(config, weightsOf(folder!), await readKernels(options));
  const model = { manifest, engine, catalogue: catalogueOf(folder!) };
  const filter = { only: options.only?.split(","), except: options.except?.split(",") };
  const request = { topK: options.topK, excludeSeen: !options.includeSeen, filter };
  return {
    answer: async (lines) =>
      lines.map((line): Result => {
        try {
          const history = readHistory(line);
          const answer = recommend(history, model, request);
          const ids = answer.recommendations.map(({ id }) => id);
          return { line: ids.join(" "), json: { history, ...answer, model: manifest.id } };
        } catch (error) {
          return toError(error);
        }
      }),
  };
}

/** @throws Error if a line that begins as a JSON list is none of ids */
function readHistory(line: string): string[] {
  if (!line.trimStart().startsWith("[")) return line.split(/[\s,]+/).filter((id) => id !== "");
  const ids: unknown = JSON.parse(line);
  if (Array.isArray(ids) && ids.every((id) => typeof id === "string" || Number.isInteger(id))) return ids.map(String);
  throw new Error(`expected a JSON list of ids, got ${line.slice(0, 60)}`);
}

/**
 * The mean of checkpoints. Those of one run, or of runs that began from one, lie around a better point than any of them
 * (Izmailov et al. 2018, arXiv:1803.05407; Wortsman et al. 2022, arXiv:2203.05482); those of strangers do not.
 */
import { existsSync } from "node:fs";
import { type Progress, readCheckpoint } from "../training/checkpoint.ts";
import type { NetworkConfig } from "../training/parameters.ts";

/**
 * @param paths at least one
 * @returns the parameters, flat, and the progress of the last one
 * @throws Error if a file is missing, is of another network, or holds NaN or infinite weights
 */
export async function averageCheckpoints(
  paths: readonly string[],
  config: NetworkConfig,
  hint = "train first",
): Promise<{ parameters: Float32Array; progress: Progress }> {
  const checkpoints: { parameters: Float32Array; progress: Progress }[] = [];
  for (const path of paths) {
    if (!existsSync(path)) throw new Error(`expected ${path}; ${hint}`);
    const checkpoint = await readCheckpoint(path, config);
    if (!checkpoint.parameters.every(Number.isFinite)) {
      throw new Error(`${path} holds NaN or infinite weights`);
    }
    checkpoints.push(checkpoint);
  }
  const { parameters, progress } = checkpoints.at(-1)!;
  const mean = parameters.map(
    (_, i) => checkpoints.reduce((sum, other) => sum + other.parameters[i]!, 0) / checkpoints.length,
  );
  return { parameters: mean, progress };
}

/** What the command line says about a training run. */
import type { DataOptions } from "../recipes/recipe.ts";
import type { DeviceName } from "./replica.ts";

export interface RunOptions {
  runDir: string;
  device: DeviceName;
  /** Replicas. */
  count: number;
  data: DataOptions;
  /** Instead of the recipe's. */
  epochs?: number | undefined;
}

/** What both commands are told. */
import type { KernelBuild } from "../kernels.ts";

export interface CommonOptions {
  in?: string;
  out?: string;
  json?: true;
  model?: string;
  kernels: KernelBuild;
}

/** Which model the command line uses: the one that is named, or those of models/ that do the task. */

import type { Task } from "../../worker/model/config.ts";
import { loadKernels } from "../kernels.ts";
import { findModelFolder, listModelFolders, type ModelFolder, readModelFolder } from "../publish/model-folder.ts";
import { runBuild } from "../run-build.ts";
import type { CommonOptions } from "./options.ts";

/** @throws Error if there is none, or the one that is named does something else */
export async function readModels(task: Task, model: string | undefined): Promise<ModelFolder[]> {
  const paths = model === undefined ? await listModelFolders() : [await findModelFolder(model)];
  const folders = await Promise.all(paths.map(readModelFolder));
  const fitting = folders.filter(({ manifest }) => manifest.config.task === task);
  if (fitting.length > 0) return fitting;
  const found = folders.map(({ manifest }) => `${manifest.id}, which is for ${manifest.config.task}`);
  throw new Error(`expected a model for ${task}; got ${found.join(", ")}`);
}

/** The kernels, built first if they are not there. */
export async function readKernels({ kernels }: CommonOptions): Promise<WebAssembly.Module> {
  return loadKernels(kernels).catch(async () => {
    await runBuild();
    return loadKernels(kernels);
  });
}

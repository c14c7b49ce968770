/** The compiled kernels, for scripts that run the Worker's engine in Node. */
import { readFile } from "node:fs/promises";

export const KERNEL_BUILDS = ["relaxed", "simd"] as const;
export type KernelBuild = (typeof KERNEL_BUILDS)[number];

/** @throws Error with the command that builds them, if they are not there */
export async function loadKernels(build: KernelBuild = "relaxed"): Promise<WebAssembly.Module> {
  const path = new URL(`../build/kernels/${build}.wasm`, import.meta.url);
  const bytes = await readFile(path).catch((cause: Error) => {
    throw new Error(`cannot read the kernels (${cause.message}); run npm run build`, { cause });
  });
  return WebAssembly.compile(bytes);
}

/** Compiles kernels/peak.ts, the bare rate of the dot product, into build/bench/: the benchmark's, never the Worker's. */
import { mkdir, readFile, rename } from "node:fs/promises";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import type { KernelBuild } from "../../kernels.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const features: Record<KernelBuild, string[]> = { relaxed: ["simd", "relaxed-simd"], simd: ["simd"] };

/** @returns the path of the module. It imports its memory and exports `i8_dot_peak`. */
export function peakPath(build: KernelBuild): string {
  return `${root}build/bench/peak-${build}.wasm`;
}

/** @throws Error with the compiler's words */
export async function buildPeaks(): Promise<void> {
  await mkdir(`${root}build/bench`, { recursive: true });
  for (const build of Object.keys(features) as KernelBuild[]) {
    // Renamed when it is whole, so that a second build at the same time does no harm.
    const partPath = `${peakPath(build)}.${process.pid}`;
    const { error, stderr } = await asc.main([
      "kernels/peak.ts",
      ...["--baseDir", root, "--outFile", relative(root, partPath)],
      ...features[build].flatMap((feature) => ["--enable", feature]),
      ...["--runtime", "stub", "--importMemory", "--noExportMemory", "--initialMemory", "1"],
      ...["--optimizeLevel", "3", "--shrinkLevel", "0", "--converge", "--noAssert"],
    ]);
    if (error) throw new Error(`bench: kernels/peak.ts: ${error.message}\n${stderr.toString()}`);
    await rename(partPath, peakPath(build));
  }
}

export async function loadPeak(build: KernelBuild): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(peakPath(build)));
}

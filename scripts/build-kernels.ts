/**
 * Compiles kernels/ (AssemblyScript). The engine's are built twice from the same source, with and without the
 * relaxed-SIMD dot product: build/kernels/relaxed.wasm and simd.wasm; those of training once: training.wasm. Run by
 * `npm run build`.
 */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import binaryen from "assemblyscript/binaryen";

const root = fileURLToPath(new URL("..", import.meta.url));
/**
 * Functions up to this many expressions are inlined, above all the tiles' store, which makes small products up to 10 %
 * faster. asc has no flag for it.
 */
const INLINE_MAX_SIZE = 300;
const builds: { name: string; entry: string; features: string[] }[] = [
  { name: "relaxed", entry: "kernels/index.ts", features: ["simd", "relaxed-simd"] },
  { name: "simd", entry: "kernels/index.ts", features: ["simd"] },
  { name: "training", entry: "kernels/training/index.ts", features: ["simd", "relaxed-simd"] },
];

/** Compiles one build. The module imports its memory (`env.memory`) and nothing else. */
async function buildKernels({ name, entry, features }: (typeof builds)[number]): Promise<void> {
  const outFile = `build/kernels/${name}.wasm`;
  // Renamed when it is whole: a reader, or a second build at the same time, never sees half a file.
  const partFile = `${outFile}.${process.pid}`;
  const { error, stderr } = await asc.main([
    entry,
    ...["--baseDir", root, "--outFile", partFile],
    ...features.flatMap((feature) => ["--enable", feature]),
    ...["--runtime", "stub", "--importMemory", "--noExportMemory", "--initialMemory", "1", "--memoryBase", "64"],
    ...["--optimizeLevel", "3", "--shrinkLevel", "0", "--converge", "--noAssert"],
  ]);
  if (error) throw new Error(`build-kernels: ${outFile}: ${error.message}\n${stderr.toString()}`);
  const bytes = inlineSmallFunctions(await readFile(`${root}${partFile}`));
  await writeFile(`${root}${partFile}`, bytes);
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(bytes)).map(({ name }) => name);
  if (imports.join() !== "memory") {
    throw new Error(`build-kernels: ${outFile}: expected to import memory and nothing else, got ${imports}`);
  }
  await rename(`${root}${partFile}`, `${root}${outFile}`);
  console.log(`${outFile}: ${bytes.length} bytes`);
}

function inlineSmallFunctions(wasm: Uint8Array): Uint8Array<ArrayBuffer> {
  const module = binaryen.readBinary(wasm);
  // What asc assumes of every engine, and the binary does not say.
  module.setFeatures(module.getFeatures() | binaryen.Features.BulkMemory | binaryen.Features.BulkMemoryOpt);
  binaryen.setOptimizeLevel(3);
  binaryen.setShrinkLevel(0);
  binaryen.setAlwaysInlineMaxSize(INLINE_MAX_SIZE);
  module.optimize();
  const bytes = new Uint8Array(module.emitBinary());
  module.dispose();
  return bytes;
}

try {
  await mkdir(`${root}build/kernels`, { recursive: true });
  for (const build of builds) await buildKernels(build);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

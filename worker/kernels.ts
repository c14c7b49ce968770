/**
 * The two builds of the kernels, precompiled (`npm run build`). They come from one source and agree to the bit;
 * `relaxed` is faster, `simd` runs where the engine has no relaxed SIMD.
 */
import relaxed from "../build/kernels/relaxed.wasm";
import simd from "../build/kernels/simd.wasm";

export const kernelModules: Record<"relaxed" | "simd", WebAssembly.Module> = { relaxed, simd };

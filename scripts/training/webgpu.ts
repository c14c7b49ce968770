/** WebGPU in Node: Dawn through the `webgpu` package, put where jax-js looks for it. */

/** Finds an adapter and installs `navigator.gpu`. @returns whether there is one */
export async function startWebGpu(): Promise<boolean> {
  let dawn: typeof import("webgpu");
  try {
    dawn = await import("webgpu");
  } catch {
    // The package carries a binary per platform; where there is none, there is no WebGPU.
    return false;
  }
  Object.assign(globalThis, dawn.globals);
  const gpu = dawn.create([]);
  Object.defineProperty(globalThis.navigator, "gpu", { value: gpu, configurable: true });
  // Node aborts if Dawn's instance is collected, so a global keeps it.
  Object.assign(globalThis, { edgeSlmGpu: gpu });
  return (await gpu.requestAdapter()) !== null;
}

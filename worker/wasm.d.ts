/** A precompiled module: a Worker may not compile wasm at run time, so wrangler does it at upload. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

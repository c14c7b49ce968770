/** What a Worker gets when it imports a wasm file. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

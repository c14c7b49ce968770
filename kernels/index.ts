/**
 * Everything the engine may call. One source, two builds (scripts/build-kernels.ts): `relaxed` uses the relaxed-SIMD
 * int8 dot product, `simd` only what every engine with fixed-width SIMD has. Both give the same bits: integer sums are
 * exact, and float arithmetic is written out in a fixed order without fused or relaxed operations.
 *
 * Kernels are named as XNNPACK names them: qd8 = activations quantized dynamically per row to 7 bits, qc8w = weights
 * int8 per output channel, f32 = the rest. They never allocate: pointers are byte offsets into the imported memory,
 * and a kernel touches exactly the elements its comment names. Below `memory_start` lie constants of theirs.
 */
export { i8_dot_prefers_pairs } from "./dot";
export { f32_attention } from "./f32-attention";
export { f32_layer_norm } from "./f32-layer-norm";
export { f32_lstm_cell } from "./f32-lstm-cell";
export { f32_qd8_quantize } from "./f32-qd8-quantize";
export { f32_raddexpminusmax } from "./f32-raddexpminusmax";
export { f32_self_attention } from "./f32-self-attention";
export { f32_top_k } from "./f32-top-k";
export { qc8w_f32_embedding } from "./qc8w-f32-embedding";
export { qd8_f32_qc8w_gemm, qd8_f32_qc8w_gemm_pairs } from "./qd8-f32-qc8w-gemm";

/** The first address that is free for the caller. */
export function memory_start(): usize {
  return __heap_base;
}

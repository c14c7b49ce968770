/**
 * The kernels of training on a CPU: float32, fused multiply-add, forward and backward. Not the engine's: nothing here is
 * equal to the bit between machines, and nothing here is sent to the edge.
 */
export { f32_layer_norm } from "../f32-layer-norm";
export { f32_lstm_cell } from "../f32-lstm-cell";
export { f32_attention_backward, f32_attention_forward } from "./attention";
export { f32_cross_entropy } from "./cross-entropy";
export {
  f32_add_rows,
  f32_axpy,
  f32_dropout_add,
  f32_gelu,
  f32_gelu_backward,
  f32_relu,
  f32_relu_backward,
} from "./elementwise";
export { f32_gemm } from "./gemm";
export { f32_layer_norm_backward } from "./layer-norm";
export { f32_lstm_cell_backward } from "./lstm-cell";

import { GEMM_END } from "./gemm";

/** The first address that is free for the caller. */
export function memory_start(): usize {
  return GEMM_END;
}

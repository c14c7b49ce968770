/** What a buyer of beauty products takes next: SASRec with full cross-entropy, on Amazon Beauty. */
import { amazonBeauty } from "../data/sets/amazon.ts";
import type { RecommendationRecipe } from "./recipe.ts";

export const beautyRecommend: RecommendationRecipe = {
  kind: "recommendation",
  id: "beauty-recommend",
  config: {
    model_type: "edge-slm-recommender",
    task: "recommendation",
    d_model: 64,
    d_ff: 256,
    n_heads: 2,
    n_enc_layers: 2,
    max_seq_len: 50,
    activation: "gelu",
    layer_norm_eps: 1e-5,
    card: { description: "What a buyer of beauty products takes next, from what was bought before." },
  },
  set: amazonBeauty,
  training: {
    epochs: 16,
    rowsPerStep: { cpu: 32, webgpu: 64 },
    peakLearningRate: 1e-3,
    warmupSteps: 100,
    decayShare: 0.35,
    dropout: 0.5,
    labelSmoothing: 0,
    weightDecay: 0.05,
    evaluateEvery: 1,
    seed: 1,
  },
};

/** The same as beauty-recommend for toys. */
import { amazonToys } from "../data/sets/amazon.ts";
import { beautyRecommend } from "./beauty-recommend.ts";
import type { RecommendationRecipe } from "./recipe.ts";

export const toysRecommend: RecommendationRecipe = {
  ...beautyRecommend,
  id: "toys-recommend",
  config: {
    ...beautyRecommend.config,
    card: { description: "What a buyer of toys and games takes next, from what was bought before." },
  },
  set: amazonToys,
  training: { ...beautyRecommend.training, epochs: 6 },
};

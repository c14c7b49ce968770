/** The recipes by id. A new shipped model is a file here and a line below. */

import { beautyRecommend } from "./beauty-recommend.ts";
import { embedEn } from "./embed-en.ts";
import { lstmEn } from "./lstm-en.ts";
import { multi30kEnDe } from "./multi30k-en-de.ts";
import { multitaskEn } from "./multitask-en.ts";
import { multitaskZh } from "./multitask-zh.ts";
import { readerEn } from "./reader-en.ts";
import type { Recipe } from "./recipe.ts";
import { toysRecommend } from "./toys-recommend.ts";

const RECIPES: Recipe[] = [
  multi30kEnDe,
  multitaskEn,
  multitaskZh,
  lstmEn,
  readerEn,
  embedEn,
  beautyRecommend,
  toysRecommend,
];

/** @throws Error naming the recipes there are */
export function findRecipe(id: string): Recipe {
  const recipe = RECIPES.find((r) => r.id === id);
  if (!recipe) throw new Error(`unknown recipe ${id}; expected one of: ${RECIPES.map((r) => r.id).join(", ")}`);
  return recipe;
}

/** @throws Error if there is no such recipe, or it is one of another kind */
export function findRecipeOf<Kind extends Recipe["kind"]>(id: string, kind: Kind): Extract<Recipe, { kind: Kind }> {
  const recipe = findRecipe(id);
  if (recipe.kind !== kind) throw new Error(`${id}: expected a recipe of ${kind}, got one of ${recipe.kind}`);
  return recipe as Extract<Recipe, { kind: Kind }>;
}

/** The recipes by id. A new shipped model is a file here and a line below. */
import { multi30kEnDe } from "./multi30k-en-de.ts";
import type { TranslationRecipe } from "./recipe.ts";

const RECIPES: TranslationRecipe[] = [multi30kEnDe];

/** @throws Error naming the recipes there are */
export function findRecipe(id: string): TranslationRecipe {
  const recipe = RECIPES.find((r) => r.id === id);
  if (!recipe) throw new Error(`unknown recipe ${id}; expected one of: ${RECIPES.map((r) => r.id).join(", ")}`);
  return recipe;
}

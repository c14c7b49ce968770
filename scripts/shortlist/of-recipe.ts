/** The shortlist of a recipe's model, counted from its training pairs. */
import type { ModelConfig } from "../../worker/model/config.ts";
import type { ShortlistLists } from "../../worker/model/format.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import type { DataOptions, Recipe } from "../recipes/recipe.ts";
import type { TokenPair } from "./model1.ts";
import { makeShortlist, SHORTLIST_DEFAULTS, shortlistCoverage } from "./shortlist.ts";

/**
 * Prints how much of dev's target sentences the candidates hold.
 * @param best target tokens of a source token, at most
 * @throws Error if the model does not translate
 */
export async function shortlistOf(
  recipe: Recipe,
  config: ModelConfig,
  tokenizerJson: string,
  data: DataOptions,
  best: number = SHORTLIST_DEFAULTS.best,
): Promise<ShortlistLists> {
  if (recipe.kind !== "translation" || config.task !== "translation") {
    throw new Error(`export: --shortlist is for translation, ${recipe.id} is for ${config.task}`);
  }
  const tokenizer = Tokenizer.fromJson(tokenizerJson);
  const pairsOf = async (split: string): Promise<TokenPair[]> =>
    (await recipe.loadSplit(split, data)).map(({ source, target }) => ({
      source: tokenizer.encode(source),
      target: tokenizer.encode(target),
    }));
  const pairs = await pairsOf("train");
  const lists = makeShortlist(pairs, config.vocab_size, [config.eos_token_id], { ...SHORTLIST_DEFAULTS, best });
  const { tokens, candidates } = shortlistCoverage(lists, await pairsOf("dev"));
  const share = (100 * tokens).toFixed(1);
  console.log(`shortlist: ${share} % of dev's target tokens, ${candidates.toFixed(0)} candidates a sentence`);
  return lists;
}

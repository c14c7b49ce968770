/** A classifier as a client sees it, through HTTP and workerd: one text with every question, and batches of them. */
import { Tokenizer } from "../../../worker/model/tokenizer.ts";
import type { ModelFolder } from "../../publish/model-folder.ts";
import { type Figure, summarize } from "../figures.ts";
import type { Bundle } from "./bundle.ts";
import { startWorkerd } from "./workerd.ts";

const TOKENS = 64;
/** With so many characters, about what a request takes at most. */
const BATCH = 56;
const NEWS =
  "Shares of the airline fell sharply on Monday after it warned that higher fuel prices and a strike of its pilots would " +
  "cost more than four hundred million dollars this year. The company, which carried eleven million passengers in the " +
  "last quarter, said that it would cut flights to several cities in Europe and hire no one until the spring.";

export async function benchClassifying(bundle: Bundle, model: ModelFolder, runs: number): Promise<Figure[]> {
  const tokenizer = Tokenizer.fromJson(new TextDecoder().decode(model.contents.get("tokenizer.json")));
  const text = textOf(TOKENS - 1, tokenizer);
  const workerd = await startWorkerd(bundle, model);
  const one: number[] = [];
  const rates: number[] = [];
  try {
    for (let run = -runs; run < runs; run++) {
      const { ms } = await workerd.classify({ text, model: model.manifest.id });
      if (run >= 0) one.push(ms);
    }
    for (let run = -2; run < Math.ceil(runs / 5); run++) {
      const { ms } = await workerd.classify({ text: Array(BATCH).fill(text), model: model.manifest.id });
      if (run >= 0) rates.push((1000 * BATCH) / ms);
    }
  } finally {
    await workerd.close();
  }
  return [
    summarize(`text of ${TOKENS} tokens, every question of ${model.manifest.id}, warm, in workerd`, "ms", one, {
      atMost: 2,
    }),
    summarize(`  such texts a second, ${BATCH} in a request`, "1/s", rates, { atLeast: 500 }),
  ];
}

/** The first words that have no more than so many tokens. */
function textOf(tokens: number, tokenizer: Tokenizer): string {
  const words = NEWS.split(" ");
  while (tokenizer.encode(words.join(" ")).length > tokens) words.pop();
  return words.join(" ");
}

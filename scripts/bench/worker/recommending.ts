/** A recommender as a client sees it, through HTTP and workerd: histories as long as the model reads, all different. */
import { expectTask } from "../../../worker/model/config.ts";
import { catalogueOf, type ModelFolder } from "../../publish/model-folder.ts";
import { type Figure, summarize } from "../figures.ts";
import type { Bundle } from "./bundle.ts";
import { startWorkerd } from "./workerd.ts";

const ITEMS = 50;

export async function benchRecommending(bundle: Bundle, model: ModelFolder, runs: number): Promise<Figure[]> {
  const { vocab_size } = expectTask("recommendation", model.manifest.config);
  const catalogue = catalogueOf(model);
  const workerd = await startWorkerd(bundle, model);
  const samples: number[] = [];
  try {
    for (let run = -runs; run < runs; run++) {
      // A stride that no catalogue's size is likely to share a factor with.
      const history = Array.from({ length: ITEMS }, (_, i) =>
        catalogue.idOf(((run + runs) * 7919 + i * 104_729) % vocab_size),
      );
      const { ms } = await workerd.recommend({ history, model: model.manifest.id });
      if (run >= 0) samples.push(ms);
    }
  } finally {
    await workerd.close();
  }
  const name = `recommendation over ${vocab_size} items, history of ${ITEMS}, with reasons, warm, in workerd`;
  return [summarize(name, "ms", samples, { atMost: 5 })];
}

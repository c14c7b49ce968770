/** A recommender's export: the neighbours that it gets, and that they do in the engine what they did when they were chosen. */
import { expect, test, vi } from "vitest";
import { splitHistories } from "../../scripts/data/histories.ts";
import { chooseNeighbours } from "../../scripts/export/neighbours.ts";
import { quantizeModel } from "../../scripts/export/quantize.ts";
import { exportRecommender } from "../../scripts/export/recommender.ts";
import { rankingQuality } from "../../scripts/metrics/ranking.ts";
import { rankNext } from "../../scripts/metrics/recommend.ts";
import { initializeParameters, parameterCount, parameterSlices } from "../../scripts/training/parameters.ts";
import { uniformStream } from "../../scripts/training/random.ts";
import { loadRecommender } from "../../worker/engine/load.ts";
import { kernelsOf } from "../engine/models.ts";
import { TINY_RECOMMENDER } from "../training/tiny.ts";

/** Twenty shelves of five items each; a user takes four of one shelf. */
function shelves(users: number): string[][] {
  const uniform = uniformStream(4);
  return Array.from({ length: users }, () => {
    const shelf = Math.floor(uniform() * 20);
    const first = Math.floor(uniform() * 5);
    return Array.from({ length: 4 }, (_, i) => `${shelf}/${(first + i) % 5}`);
  });
}

const splits = splitHistories(shelves(300));
const config = { ...TINY_RECOMMENDER, vocab_size: splits.items.length };
const slices = parameterSlices(config);
const untrained = new Float32Array(parameterCount(slices));
initializeParameters(untrained, slices, config, 1);

const load = (of: typeof config, file: Uint8Array<ArrayBuffer>) =>
  loadRecommender(of, new Blob([file]).stream(), kernelsOf("relaxed"));

test("a network that knows nothing gets neighbours, and with them is as good as was measured when they were chosen", async () => {
  const said = vi.spyOn(console, "log").mockImplementation(() => {});
  const exported = await exportRecommender(config, untrained, splits);
  expect(said.mock.calls.flat().join()).toMatch(/nearest neighbours beside the network: NDCG@10 on a part of dev/);
  said.mockRestore();
  expect(exported.config.neighbours?.count).toBe(16);

  const alone = await load(config, quantizeModel(config, untrained).file);
  const model = await load(exported.config, exported.file);
  const chosen = chooseNeighbours(alone, splits)!;
  const ndcgOf = (of: typeof model) => rankingQuality(splits.dev.map((question) => rankNext(of, question))).ndcg;
  expect(ndcgOf(alone)).toBeCloseTo(chosen.without, 6);
  // As they are stored, nearness is rounded.
  expect(Math.abs(ndcgOf(model) - chosen.with)).toBeLessThan(0.02);
  expect(chosen.with).toBeGreaterThan(chosen.without + 0.3);
});

test("a model that no isolate could hold is refused before anything else", async () => {
  const huge = { ...config, vocab_size: 5_000_000 };
  await expect(exportRecommender(huge, untrained, splits)).rejects.toThrow(/expected at most 64\.0 MB/);
});

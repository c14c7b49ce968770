/** What `npm run eval` says of a recommender: its figures beside the baselines', and whether its reasons are reasons. */
import { expect, test } from "vitest";
import { splitHistories } from "../../scripts/data/histories.ts";
import { amazonBeauty } from "../../scripts/data/sets/amazon.ts";
import { formatReasons, measureReasons } from "../../scripts/eval/reasons.ts";
import { cardFigures, compareBaselines, formatQualities, measureModel } from "../../scripts/eval/recommendation.ts";
import { loadTinyRecommender, recommenderConfig } from "../engine/models.ts";
import { circles } from "../training/tiny.ts";

const splits = splitHistories(circles(200, 9).map((history) => history.map(String)));

test("the figures of model and baselines have names of their own on the card", async () => {
  const rows = [
    ...compareBaselines(splits, splits.test),
    measureModel("tiny", await loadTinyRecommender(), splits.test),
  ];
  // Popularity leaves little to chance among ten items and less to learn; who is near in the circle is nearly all.
  expect(rows[1]!.quality.ndcg).toBeGreaterThan(rows[0]!.quality.ndcg);
  const figures = cardFigures("Shop: test", rows);
  expect(Object.keys(figures)).toEqual([
    "Shop: test Recall@10 of popularity, %",
    "Shop: test NDCG@10 of popularity, %",
    "Shop: test Recall@10 of item-kNN, %",
    "Shop: test NDCG@10 of item-kNN, %",
    "Shop: test Recall@10, %",
    "Shop: test NDCG@10, %",
  ]);
  expect(formatQualities(rows).split("\n")).toHaveLength(4);
});

test("reasons are held against leaving items out", async () => {
  const rows = measureReasons(await loadTinyRecommender(), splits.dev.slice(0, 40));
  for (const { agreement, effect } of rows) {
    expect(agreement).toBeGreaterThanOrEqual(0);
    expect(agreement).toBeLessThanOrEqual(1);
    expect(effect).toBeLessThanOrEqual(1);
  }
  expect(formatReasons(rows)).toContain("attention of the last layer");
  expect(recommenderConfig.vocab_size).toBeGreaterThan(splits.items.length);
});

test("Amazon's histories are refused if they are not the pinned ones", async () => {
  const fetch = async () => new Response("1 1 2 3 4 5\n");
  const cacheDir = "/nonexistent-cache-of-a-test";
  // A mirror that is set for the whole of the tests would be asked first.
  const before = process.env.EDGE_SLM_DATA;
  delete process.env.EDGE_SLM_DATA;
  try {
    await expect(amazonBeauty.load({ cacheDir, fetch })).rejects.toThrow(/expected content with sha256 340e74c4/);
  } finally {
    if (before !== undefined) process.env.EDGE_SLM_DATA = before;
  }
});

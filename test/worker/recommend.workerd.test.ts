/** POST /v1/recommend in workerd: what it answers, to whom, and what it refuses. */
import { beforeAll, describe, expect, it } from "vitest";
import golden from "../fixtures/tiny-recommender/golden.json";
import items from "../fixtures/tiny-recommender/items.txt?raw";
import { openShop } from "./billing/shop.ts";
import { bucket, makeClient, problemOf, putRecommender, type RecommendAnswer, recommenderConfig } from "./harness.ts";

const client = makeClient();
const ids = items.trim().split("\n");
const idsOf = (rows: number[]) => rows.map((row) => ids[row]!);

async function recommend(body: object): Promise<RecommendAnswer> {
  const response = await client.recommend({ model: "shop", ...body });
  expect(response.status).toBe(200);
  return (await response.json()) as RecommendAnswer;
}

const idsIn = ({ recommendations }: RecommendAnswer) => recommendations.map(({ id }) => id);

beforeAll(async () => {
  await putRecommender("shop");
});

describe("POST /v1/recommend", () => {
  it("ranks as the golden file does, without what was seen", async () => {
    for (const { history, logits } of golden) {
      const expected = [...logits.keys()]
        .filter((row) => !history.includes(row))
        .sort((a, b) => logits[b]! - logits[a]!);
      const answer = await recommend({ history: idsOf(history), top_k: 5 });
      expect(idsIn(answer)).toEqual(idsOf(expected.slice(0, 5)));
      expect(answer).toMatchObject({
        based_on: "history",
        history_items: history.length,
        unknown: { history: [], filter: [] },
      });
    }
  });

  it("shows what was seen, if that is wanted", async () => {
    const { history, logits } = golden[0]!;
    const best = logits.indexOf(Math.max(...logits));
    const everything = await recommend({ history: idsOf(history), exclude_seen: false, top_k: 100 });
    expect(idsIn(everything)).toHaveLength(ids.length);
    expect(idsIn(everything)[0]).toBe(ids[best]);
    const sum = everything.recommendations.reduce((total, { probability }) => total + probability!, 0);
    expect(sum).toBeCloseTo(1, 2);
  });

  it("takes numbers as ids", async () => {
    const [asNumbers, asText] = [await recommend({ history: [4, 11] }), await recommend({ history: ["4", "11"] })];
    expect(asNumbers.recommendations).toEqual(asText.recommendations);
  });

  it("names its reasons out of the history", async () => {
    const { recommendations } = await recommend({ history: ["4", "11", "12", "4"] });
    const reasons = recommendations.flatMap(({ because }) => because);
    expect(reasons.length).toBeGreaterThan(0);
    for (const { because } of recommendations) {
      expect(because.length).toBeLessThanOrEqual(3);
      expect(new Set(because.map(({ id }) => id)).size).toBe(because.length);
      for (const { id, share } of because) {
        expect(["4", "11", "12"]).toContain(id);
        expect(share).toBeGreaterThan(0);
      }
    }
  });

  it("skips what it does not know and says so", async () => {
    const answer = await recommend({
      history: ["4", "lamp", "11", "lamp"],
      filter: { only: ["9", "10", "chair"], except: ["table", "9"] },
    });
    expect(answer.unknown).toEqual({ history: ["lamp"], filter: ["chair", "table"] });
    expect(answer.history_items).toBe(2);
    expect(idsIn(answer)).toEqual(["10"]);
    expect(answer.recommendations).toEqual(
      (await recommend({ history: [4, 11], filter: { only: [10] } })).recommendations,
    );
  });

  it.each([{ history: [] }, { history: ["lamp"] }])("shows a new user what is popular: $history", async (body) => {
    const answer = await recommend({ ...body, top_k: 3 });
    expect(answer.based_on).toBe("popularity");
    expect(answer.recommendations).toEqual(ids.slice(0, 3).map((id) => ({ id, probability: null, because: [] })));
    const filtered = await recommend({ ...body, filter: { only: ["20", "7", "20"], except: ["8"] } });
    expect(idsIn(filtered)).toEqual(["7", "20"]);
  });

  it("has nothing to show where nothing is left", async () => {
    expect(idsIn(await recommend({ history: ["4"], filter: { only: ["4"] } }))).toEqual([]);
    expect(idsIn(await recommend({ history: ["4"], filter: { only: [] } }))).toEqual([]);
  });

  it("reads the latest of a long history, and leaves all of it out", async () => {
    const history = Array.from({ length: 30 }, (_, i) => String(i + 1));
    const answer = await recommend({ history, top_k: 100 });
    expect(answer.history_items).toBe(recommenderConfig.max_seq_len);
    expect(new Set(idsIn(answer))).toEqual(new Set(ids.slice(30)));
  });

  it.each([
    [{}, 400, /history/],
    [{ history: "4" }, 400, /history/],
    [{ history: [null] }, 400, /history\/0: expected an id/],
    [{ history: [""] }, 400, /history\/0/],
    [{ history: [1.5] }, 400, /history\/0/],
    [{ history: ["4"], top_k: 0 }, 400, /top_k/],
    [{ history: ["4"], top_k: 1000 }, 400, /top_k/],
    [{ history: ["4"], filter: { brand: "x" } }, 400, /brand/],
    [{ history: ["4"], likes: [] }, 400, /likes/],
    [{ history: ["x".repeat(30_000)] }, 413, /at most 20000 characters of ids in all, got 30000/],
    [{ history: ["4"], model: "nothing" }, 404, /expected one of shop/],
  ])("refuses %j", async (body, status, detail) => {
    const response = await client.recommend(body);
    expect(response.status).toBe(status);
    expect((await problemOf(response)).detail).toMatch(detail);
  });

  it("does not say what is in the isolate when ids look like its own names", async () => {
    const answer = await recommend({ history: ["__proto__", "constructor", "\ud800", "4"] });
    expect(answer.history_items).toBe(1);
    expect(answer.unknown.history).toHaveLength(3);
  });
});

describe("a model for recommendation", () => {
  it("is in the list with its catalogue's size", async () => {
    const { models } = (await (await client.request("/v1/models")).json()) as { models: { id: string }[] };
    expect(models.find(({ id }) => id === "shop")).toMatchObject({
      task: "recommendation",
      source_languages: [],
      most_popular: ids.slice(0, 5),
      size: { vocab_size: ids.length, max_seq_len: 12 },
    });
  });

  it("costs the characters of its ids", async () => {
    const shop = openShop({ PRICES: { shop: { per_1000_characters: 100_000, minimum: 1 } } });
    const customer = await shop.addCustomer(10_000);
    const response = await shop.client.request("/v1/recommend", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${customer.key}` },
      body: JSON.stringify({ history: ["4", 11], filter: { except: ["12"] }, model: "shop" }),
    });
    expect(response.status).toBe(200);
    // Five characters.
    expect(response.headers.get("charged-micro-usd")).toBe("500");
  });

  it.each([
    ["of another number of items", items.slice(0, -3), /expected 37 ids, got 36/],
    ["with an id twice", items.replace("\n3\n", "\n4\n"), /expected ids that differ, got "4" again/],
    ["with an empty line", items.replace("\n33\n", "\n\n"), /line 33: expected an id, got an empty line/],
  ])("is not served with a catalogue %s", async (_, broken, message) => {
    const id = `broken-${broken.length}`;
    await putRecommender(id);
    const manifest = JSON.parse(await (await bucket.get(`models/${id}/manifest.json`))!.text());
    const bytes = new TextEncoder().encode(broken);
    const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    Object.assign(manifest.files["items.txt"], { bytes: bytes.length, sha256 });
    await bucket.put(manifest.files["items.txt"].key, bytes);
    await bucket.put(`models/${id}/manifest.json`, JSON.stringify(manifest));
    const response = await makeClient().recommend({ history: ["4"], model: id });
    expect(response.status).toBe(503);
    expect((await problemOf(response)).detail).toMatch(message);
  });

  it("is not loaded if an isolate could not hold it", async () => {
    await putRecommender("huge", { config: { vocab_size: 1_200_000, d_model: 64 } });
    const response = await makeClient().recommend({ history: ["4"], model: "huge" });
    expect(response.status).toBe(503);
    expect((await problemOf(response)).detail).toMatch(
      /takes 9\d\.\d MB of memory; expected at most 64\.0 MB: train it/,
    );
  });
});

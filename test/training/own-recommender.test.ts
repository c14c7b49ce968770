/** `npm run train -- recommend`: from a table of who took what to a model that answers, for real and in seconds. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openLocalBucket } from "../../scripts/publish/bucket.ts";
import { catalogueOf, readModelFolder } from "../../scripts/publish/model-folder.ts";
import { ownRecommendationRecipe } from "../../scripts/train/own-recommender.ts";
import { uniformStream } from "../../scripts/training/random.ts";
import { expectTask } from "../../worker/model/config.ts";
import { parseManifest } from "../../worker/model/manifest.ts";

const script = fileURLToPath(new URL("../../scripts/train.ts", import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edge-slm-shop-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function trainRecommend(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const device = ["--device", "cpu", "--threads", "1", "--persist-to", join(folder, "state")];
  return promisify(execFile)(process.execPath, [script, "recommend", ...args, ...device], { cwd: folder }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}

/** Orders of a shop in which everybody takes the next item of a shelf of ten, later rows first. */
function orders(users: number): string {
  const uniform = uniformStream(1);
  const rows = Array.from({ length: users }, (_, user) => {
    const shelf = user % 3;
    const first = Math.floor(uniform() * 10);
    return Array.from({ length: 6 }, (_, i) => `2026-01-0${i + 1},u${user},"shelf ${shelf}, item ${(first + i) % 10}"`);
  });
  return `ordered_at,customer,product\n${rows.flat().toReversed().join("\n")}\n`;
}

describe("npm run train -- recommend", () => {
  test("trains, measures beside the baselines, exports and uploads", async () => {
    await writeFile(join(folder, "Orders 2026.csv"), orders(150));
    const { code, stdout, stderr } = await trainRecommend("--data", "Orders 2026.csv", "--time", "ordered_at");
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('users from column "customer"');
    expect(stdout).toMatch(/150 users, 30 items; the last item of 150 users is to test with/);
    const figures = [...stdout.matchAll(/^(popularity|item-kNN.*?\)|orders-2026,.*?engine) +([\d.]+) +([\d.]+)$/gm)];
    expect(figures).toHaveLength(3);
    const ndcg = figures.map(([, , , value]) => Number(value));
    // Popularity does not know what comes next; who has seen the shelves does.
    expect(ndcg[2]).toBeGreaterThan(ndcg[0]!);
    expect(ndcg[2]).toBeGreaterThan(50);

    const model = await readModelFolder(join(folder, "runs", "orders-2026", "model"));
    const config = expectTask("recommendation", model.manifest.config);
    expect(config.card.quality["test NDCG@10, %"]).toBe(ndcg[2]);
    expect(catalogueOf(model).rowOf("shelf 1, item 7")).toBeTypeOf("number");
    expect(new TextDecoder().decode(model.contents.get("card.md"))).toContain(
      'Trained, measured and exported with `npm run train -- recommend --data "Orders 2026.csv" --time ordered_at`.',
    );
    const bucket = await openLocalBucket(join(folder, "state"));
    const key = "models/orders-2026/manifest.json";
    const { version } = parseManifest(key, (await bucket.getText(key))!);
    await bucket.close();
    expect(version).toBe(model.manifest.version);
  }, 120_000);

  test.each([
    [["--data", "nothing.csv"], /cannot read nothing\.csv/],
    [["--data", "shop.csv", "--item", "sku"], /shop\.csv: expected a column "sku" \(--item\)/],
    [["--data", "bad.csv"], /bad\.csv, line 3: expected a user in column "user", got none/],
    [["--data", "shop.csv", "--name", "A b"], /--name "A b": expected a model id/],
    [["--data", "shop.csv", "--name", "taken"], /runs\/taken is there and not of npm run train -- recommend/],
  ])("refuses %j in one line", async (args, message) => {
    await writeFile(join(folder, "shop.csv"), orders(30));
    await writeFile(join(folder, "bad.csv"), "user,item\nu,1\n,2\n");
    await mkdir(join(folder, "runs", "taken"), { recursive: true });
    const { code, stderr } = await trainRecommend(...args);
    expect(code).toBe(1);
    expect(stderr.trim().split("\n").at(-1)).toMatch(message);
  });
});

describe("what suits a table", () => {
  const sizesFor = (count: number, width = 10) => {
    const items = Array.from({ length: count }, (_, i) => String(i).padStart(width, "0"));
    return ownRecommendationRecipe("x", { name: "x.csv", sequences: [["a", "b", "c"]] }, { items }).config.d_model;
  };

  test("the widest network that an isolate can hold", () => {
    expect(sizesFor(1_000)).toBe(64);
    expect(sizesFor(900_000)).toBe(32);
  });

  test("an error where none fits", () => {
    expect(() => sizesFor(2_000_000, 20)).toThrow(/2000000 items with a d_model of 16 takes \d+\.\d MB of memory/);
  });
});

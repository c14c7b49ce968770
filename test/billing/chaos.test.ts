import { tmpdir } from "node:os";
import { expect, it } from "vitest";
import { breakBilling } from "../../scripts/chaos/billing.ts";

it("the money is right while calls fail, leave and repeat, the Worker dies and payments are forged", async () => {
  const rows = await breakBilling({ calls: 200, concurrency: 32, payments: 21, restarts: 1, storage: tmpdir() });
  const missed = rows.filter(({ isMet, what }) => !isMet && !what.startsWith("time"));
  expect(missed).toEqual([]);
  expect(rows).toHaveLength(7);
}, 240_000);

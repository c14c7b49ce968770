import { expect, it } from "vitest";
import { breakBilling } from "../../scripts/chaos/billing.ts";

it("the money is right while calls fail, leave and repeat, the Worker dies and payments are forged", async () => {
  const rows = await breakBilling({ calls: 200, concurrency: 32, payments: 21, restarts: 1 });
  const missed = rows.filter(({ ok, what }) => !ok && !what.startsWith("time"));
  expect(missed).toEqual([]);
  expect(rows).toHaveLength(6);
}, 240_000);

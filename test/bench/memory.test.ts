import { expect, it } from "vitest";
import { measureLarge, memoryFigures } from "../../scripts/bench/memory/suite.ts";
import { kernelsOf } from "../engine/models.ts";

it("20 million parameters, beam 4 and 128 tokens stay far below the isolate's 128 MB", async () => {
  const row = await measureLarge(kernelsOf("relaxed"));
  expect(row.modelBytes).toBeGreaterThan(20e6);
  expect(row.loadedBytes).toBeGreaterThan(row.modelBytes);
  expect(row.wasmBytes).toBeGreaterThan(row.loadedBytes);
  const gate = memoryFigures([{ ...row, beamSize: 1 }, row]).at(-1)!;
  expect(gate.bar).toEqual({ atMost: 64 });
  expect(gate.value).toBeLessThan(64);
}, 180_000);

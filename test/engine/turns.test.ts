/** Long work yields to whatever else the isolate does, and a request that nobody waits for stops. */
import { describe, expect, it } from "vitest";
import { generate, type SearchModel } from "../../worker/engine/generate.ts";
import { loadTiny } from "./models.ts";

/** The model, and the work it was asked for. */
function counted<Source, Cache extends { release(): void }>(model: SearchModel<Source, Cache>) {
  const work = { encoded: 0, steps: 0, macs: 0 };
  const counting: SearchModel<Source, Cache> = {
    config: model.config,
    encoderMacs: model.encoderMacs,
    decoderMacs: model.decoderMacs,
    createCache: () => model.createCache(),
    releaseSource: (source) => model.releaseSource(source),
    encode(tokens, shortlist) {
      work.encoded++;
      work.macs += tokens.length * model.encoderMacs;
      return model.encode(tokens, shortlist);
    },
    step(rows, cache, k, scores) {
      work.steps++;
      work.macs += rows.length * model.decoderMacs;
      return model.step(rows, cache, k, scores);
    },
  };
  return { model: counting, work };
}

const SOURCES = Array.from({ length: 60 }, (_, i) => Array.from({ length: 1 + (i % 9) }, (_, j) => 3 + i + j));
const BEAM_SIZE = 3;

describe("generate", () => {
  it.each([
    ["an event", (run: () => void) => setImmediate(run)],
    ["a promise", (run: () => void) => void new Promise<void>((resolve) => setImmediate(resolve)).then(run)],
  ])("lets %s run within a bounded amount of work", async (_, later) => {
    const { model, work } = counted(await loadTiny());
    const macsPerTurn = 2e6;
    // One step, or one source, can not be parted.
    const largestStep = Math.max(32 * model.decoderMacs, 10 * model.encoderMacs);
    let running = true;
    let turns = 0;
    let before = 0;
    let longest = 0;
    const look = () => {
      turns++;
      longest = Math.max(longest, work.macs - before);
      before = work.macs;
      if (running) later(look);
    };
    later(look);
    await generate(model, SOURCES, { beamSize: BEAM_SIZE, macsPerTurn });
    running = false;
    expect(turns).toBeGreaterThan(10);
    expect(longest).toBeLessThanOrEqual(macsPerTurn + largestStep);
  });

  it("lets timers run, which Node rounds up to a millisecond", async () => {
    let fired = 0;
    const timer = setInterval(() => fired++, 1);
    await generate(await loadTiny(), SOURCES, { beamSize: BEAM_SIZE, macsPerTurn: 0 });
    clearInterval(timer);
    expect(fired).toBeGreaterThan(2);
  });

  it("computes nothing more once it is aborted between steps", async () => {
    const { model, work } = counted(await loadTiny());
    const controller = new AbortController();
    let atAbort = { ...work };
    setImmediate(function look() {
      if (work.steps < 5) return setImmediate(look);
      atAbort = { ...work };
      controller.abort(new Error("client left"));
    });
    const options = { beamSize: BEAM_SIZE, macsPerTurn: 0, signal: controller.signal };
    await expect(generate(model, SOURCES, options)).rejects.toThrow("client left");
    expect(atAbort.steps).toBeGreaterThanOrEqual(5);
    expect(work).toEqual(atAbort);
    // Nor afterwards.
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(work).toEqual(atAbort);
  });

  it("stops after the step in which it is aborted", async () => {
    const { model, work } = counted(await loadTiny());
    const controller = new AbortController();
    const onToken = () => {
      if (work.steps === 3) controller.abort();
    };
    const options = { beamSize: 1, onToken, signal: controller.signal };
    await expect(generate(model, SOURCES, options)).rejects.toThrow("aborted");
    expect(work.steps).toBe(3);
  });
});

/** A shop to be broken: the Worker with a tiny model and billing on, and a facilitator of its own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildBundle } from "../../bench/worker/bundle.ts";
import { type Facilitator, startFacilitator } from "../../facilitator/server.ts";
import { publishTiny, type RunningWorker, startWorker } from "../worker-process.ts";
import { ADMIN_KEY } from "./operator.ts";

const TOKEN = {
  network: "eip155:84532",
  asset: "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
  assetName: "USDC",
  assetVersion: "2",
  startBalance: 1_000_000_000n,
} as const;
export const SELLER = "0x5E11e40000000000000000000000000000000402";
/** Short, so that what a dead Worker left ends soon. */
export const RESERVATION_SECONDS = 5;

export interface ChaosShop {
  facilitator: Facilitator;
  /** Folder of all that is stored. */
  state: string;
  /** Everything that the Workers printed. */
  log: string[];
  start(vars?: Record<string, string | number>): Promise<RunningWorker>;
  close(): Promise<void>;
}

/** @param storage folder to store in: each commit waits for its disk */
export async function prepareShop(storage = tmpdir()): Promise<ChaosShop> {
  const state = await mkdtemp(join(storage, "edge-slm-chaos-"));
  const bundle = await buildBundle(join(state, "bundle"), fileURLToPath(new URL("worker.ts", import.meta.url)));
  await publishTiny("tiny", state);
  const facilitator = await startFacilitator({ ...TOKEN, port: 0 });
  const log: string[] = [];
  const settings = { ADMIN_KEY, BILLING: "on", RESERVATION_SECONDS };
  const x402 = { X402_PAY_TO: SELLER, X402_FACILITATOR_URL: facilitator.url };
  return {
    facilitator,
    state,
    log,
    start: (vars = {}) =>
      startWorker({ bundle, directory: state, vars: { ...settings, ...x402, ...vars } }, (text) => log.push(text)),
    async close() {
      await facilitator.close();
      await rm(state, { recursive: true, force: true });
    },
  };
}

/** A shop to be broken: the Worker with a tiny model and billing on, and a facilitator of its own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Facilitator, startFacilitator } from "../../facilitator/server.ts";
import { openLocalBucket } from "../../publish/bucket.ts";
import { readModelFolder } from "../../publish/model-folder.ts";
import { publish } from "../../publish/publish.ts";
import { ADMIN_KEY } from "./operator.ts";
import { bundleWorker, type RunningWorker, startWorker } from "./workerd.ts";

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

export async function prepareShop(): Promise<ChaosShop> {
  const state = await mkdtemp(join(tmpdir(), "edge-slm-chaos-"));
  const bundle = join(state, "bundle");
  await bundleWorker(new URL("worker.ts", import.meta.url), bundle);
  const bucket = await openLocalBucket(state);
  await publish(bucket, await readModelFolder(fileURLToPath(new URL("../../../test/fixtures/tiny", import.meta.url))));
  await bucket.close();
  const facilitator = await startFacilitator({ ...TOKEN, port: 0 });
  const log: string[] = [];
  const settings = { ADMIN_KEY, BILLING: "on", RESERVATION_SECONDS };
  const x402 = { X402_PAY_TO: SELLER, X402_FACILITATOR_URL: facilitator.url };
  return {
    facilitator,
    state,
    log,
    start: (vars = {}) => startWorker({ bundle, vars: { ...settings, ...x402, ...vars }, state }, log),
    async close() {
      await facilitator.close();
      await rm(state, { recursive: true, force: true });
    },
  };
}

/** An x402 facilitator over HTTP: /supported, /verify, /settle, with @x402/core and @x402/evm on a chain of our own. */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { x402Facilitator } from "@x402/core/facilitator";
import type { Network, PaymentPayload, PaymentRequirements } from "@x402/core/types";
import type { FacilitatorEvmSigner } from "@x402/evm";
import { ExactEvmScheme } from "@x402/evm/exact/facilitator";
import { UptoEvmScheme } from "@x402/evm/upto/facilitator";
import { makeLocalChain } from "./local-chain.ts";
import type { LocalToken } from "./local-token.ts";

export interface FacilitatorOptions {
  port: number;
  /** CAIP-2, as eip155:84532. */
  network: Network;
  asset: string;
  assetName: string;
  assetVersion: string;
  startBalance: bigint;
}

export interface Facilitator {
  url: string;
  token: LocalToken;
  /** The chain, for transactions besides the facilitator's own. */
  signer: FacilitatorEvmSigner;
  /** Every request, as "verify" or "settle", and its answer. */
  calls: { path: string; answer: unknown }[];
  /** Called before a request is answered; what it throws breaks the connection, as a network would. */
  disturb: (path: string, when: "before" | "after") => void;
  close(): Promise<void>;
}

/** A payment has a few hundred bytes. */
const MAX_BODY_BYTES = 64_000;

export async function startFacilitator(options: FacilitatorOptions): Promise<Facilitator> {
  const { network, asset, assetName, assetVersion, startBalance } = options;
  const chainId = Number(network.split(":")[1]);
  const token = { address: asset, name: assetName, version: assetVersion, startBalance };
  const chain = makeLocalChain({ ...token, chainId });
  const core = new x402Facilitator()
    .register([network], new ExactEvmScheme(chain.signer))
    .register([network], new UptoEvmScheme(chain.signer));
  const facilitator: Facilitator = {
    url: "",
    token: chain.token,
    signer: chain.signer,
    calls: [],
    disturb: () => {},
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
  const server = createServer(async (request, response) => {
    const path = (request.url ?? "").replace(/^\//, "");
    const reply = (status: number, body: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    try {
      facilitator.disturb(path, "before");
      if (path === "supported") return reply(200, core.getSupported());
      if (path !== "verify" && path !== "settle")
        return reply(404, { error: "expected /supported, /verify or /settle" });
      const body = await readJson(request);
      const answer = await core[path](body.paymentPayload, body.paymentRequirements);
      facilitator.calls.push({ path, answer });
      facilitator.disturb(path, "after");
      return reply(200, answer);
    } catch (error) {
      if (error instanceof Disturbance) return request.socket.destroy();
      return reply(400, { error: error instanceof Error ? error.message : String(error) });
    }
  });
  await new Promise<void>((done, failed) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const inUse = `port ${options.port} is in use; choose another: npm run facilitator -- --port ${options.port + 1}`;
      failed(error.code === "EADDRINUSE" ? new Error(inUse) : error);
    });
    server.listen(options.port, "127.0.0.1", done);
  });
  facilitator.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return facilitator;
}

/** What `disturb` throws. */
export class Disturbance extends Error {}

async function readJson(
  request: IncomingMessage,
): Promise<{ paymentPayload: PaymentPayload; paymentRequirements: PaymentRequirements }> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += chunk;
    if (text.length > MAX_BODY_BYTES) throw new Error(`expected at most ${MAX_BODY_BYTES} bytes`);
  }
  return JSON.parse(text);
}

/**
 * `npm run facilitator [-- --port N]`: an x402 facilitator for this machine, so that paying for a request can be tried
 * without a chain: signatures are checked for real, the token is made up. Prints the settings that a Worker needs to use
 * it. `npm run facilitator -- --pay URL [--scheme upto]` buys a translation from such a Worker with a throw-away key.
 */
import { x402Client } from "@x402/core/client";
import { ExactEvmScheme } from "@x402/evm/exact/client";
import { UptoEvmScheme } from "@x402/evm/upto/client";
import { decodePaymentResponseHeader, wrapFetchWithPayment } from "@x402/fetch";
import { Command, Option } from "commander";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { fail, positiveInteger } from "./cli.ts";
import { startFacilitator } from "./facilitator/server.ts";

const START_BALANCE = 1_000_000_000n;
const ASSET = { network: "eip155:84532", asset: "0x036CbD53842c5426634e7929541eC2318f3dCF7e" } as const;

const options = new Command("facilitator")
  .description("An x402 facilitator with a token of its own, for trying payments at home")
  .option("--port <n>", "port to listen on", positiveInteger, 4020)
  .option("--pay <url>", "buy one translation from the Worker at this address, through the facilitator that runs")
  .addOption(new Option("--scheme <name>", "how it is paid for").choices(["exact", "upto"]).default("exact"))
  .allowExcessArguments(false)
  .parse()
  .opts<{ port: number; pay?: string; scheme: "exact" | "upto" }>();

async function serve(port: number): Promise<void> {
  const facilitator = await startFacilitator({
    ...ASSET,
    port,
    assetName: "USDC",
    assetVersion: "2",
    startBalance: START_BALANCE,
  });
  const seller = privateKeyToAccount(generatePrivateKey()).address;
  console.log(`The facilitator listens on ${facilitator.url} (Ctrl-C ends it). In .dev.vars, then npm start:

BILLING=on
X402_PAY_TO=${seller}
X402_FACILITATOR_URL=${facilitator.url}

Then buy a translation, by the scheme exact or upto:

npm run facilitator -- --pay http://127.0.0.1:8787 --scheme upto
`);
  process.once("SIGINT", () => void facilitator.close());
}

async function buyTranslation(address: string, scheme: "exact" | "upto"): Promise<void> {
  const buyer = privateKeyToAccount(generatePrivateKey());
  const signer = scheme === "exact" ? new ExactEvmScheme(buyer) : new UptoEvmScheme(buyer);
  const client = new x402Client().register("eip155:*", signer);
  const pay = wrapFetchWithPayment(fetch, client);
  const response = await pay(new URL("/v1/translate", address), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text: "A man is riding a bicycle on the street.", source: "en", target: "de" }),
  }).catch((cause: Error) => {
    if (cause.message !== "fetch failed") throw cause;
    throw new Error(`${address} cannot be reached; npm start runs a Worker`, { cause });
  });
  const receipt = response.headers.get("payment-response");
  if (response.ok && receipt === null) {
    throw new Error(`${address} asks for no money; put the settings that npm run facilitator prints into .dev.vars`);
  }
  if (!response.ok || receipt === null) {
    throw new Error(`${address} answered ${response.status}: ${await response.text()}`);
  }
  console.log(JSON.stringify(await response.json(), null, 2));
  console.log("paid:", JSON.stringify(decodePaymentResponseHeader(receipt), null, 2));
}

await (options.pay === undefined ? serve(options.port) : buyTranslation(options.pay, options.scheme)).catch(fail);

/**
 * `npm run hooks -- create | send | listen`: a hook, an event for it, and a receiver that sees it arrive, all on this
 * machine. Events are signed, and deliveries verified, by the senders' own libraries.
 */
import { readFile } from "node:fs/promises";
import { Command, Option } from "commander";
import { fail, positiveInteger } from "./cli.ts";
import { type CreateOptions, createHook } from "./hooks/create.ts";
import { listen } from "./hooks/listen.ts";
import { KINDS, type Kind, signRequest } from "./hooks/senders.ts";

const kindOption = () => new Option("--kind <kind>", "what the sender is").choices(KINDS).default("github");

interface SendCommand {
  kind: Kind;
  url: string;
  secret?: string;
  file?: string;
  text?: string;
  event: string;
  id?: string;
}

/** An event as the sender's documents show it, with a text of one's own. */
function sampleEvent(kind: Kind, text: string, event: string): object {
  const id = crypto.randomUUID();
  // GitHub's first request.
  if (kind === "github" && event === "ping") return { zen: "Keep it logically awesome.", hook_id: 1, hook: {} };
  switch (kind) {
    case "github":
      return {
        action: "opened",
        issue: { id: Date.now(), number: 1, title: text, body: "" },
        repository: { full_name: "acme/shop" },
      };
    case "stripe":
      return {
        id: `evt_${id}`,
        object: "event",
        type: "charge.dispute.created",
        data: { object: { description: text } },
      };
    default:
      return { id, type: "ticket.created", timestamp: new Date().toISOString(), data: { text } };
  }
}

async function send({ kind, url, secret = "", file, text, event, id }: SendCommand): Promise<void> {
  if (secret === "" && kind !== "none") throw new Error("send: expected --secret, which create has printed");
  const body =
    file === undefined
      ? JSON.stringify(sampleEvent(kind, text ?? "The parcel never arrived and I want my money back.", event))
      : await readFile(file, "utf8").catch((cause: Error) => {
          throw new Error(`send: cannot read ${file}: ${cause.message}`, { cause });
        });
  const headers = await signRequest(kind, secret, body, { event, id });
  const response = await fetch(url, { method: "POST", headers, body }).catch((cause: Error) => {
    throw new Error(`send: ${url} does not answer; is \`npm start\` running?`, { cause });
  });
  console.log(`${response.status} ${await response.text()}`);
  if (!response.ok) process.exitCode = 1;
}

const program = new Command("hooks").description("Makes a hook, sends it an event, and receives what it delivers");

program
  .command("create")
  .description("makes a hook, and prints its address, its secret and what to do next")
  .addOption(kindOption())
  .requiredOption("--task <name>", "which question of the model is asked, e.g. topic")
  .option("--model <id>", "which model; without it the one that knows the task")
  .option("--text <pointers...>", "JSON Pointers to the text (default: where the kind's sample event has it)")
  .option("--to <url>", "where the events go", "http://127.0.0.1:9000/")
  .option("--label <label>", "only those with this label; all others are stored")
  .option("--min-probability <p>", "and at least this probability", Number, 0)
  .option("--secret <secret>", "the sender's, if it makes its own as Stripe does")
  .option("--worker <url>", "address of the Worker", "http://127.0.0.1:8787")
  .option("--admin-key <key>", "its ADMIN_KEY (default: the one in .dev.vars)")
  .action((options: CreateOptions) => createHook(options).catch(fail));

program
  .command("send")
  .description("signs an event as its sender does, and sends it")
  .addOption(kindOption())
  .requiredOption("--url <url>", "address of the hook")
  .option("--secret <secret>", "the sender's secret")
  .option("--file <path>", "the event's body; without it a sample")
  .option("--text <text>", "the sample's text")
  .option("--event <name>", "GitHub's kind of event", "issues")
  .option("--id <id>", "the sender's id of the event (default: a new one)")
  .action((options: SendCommand) => send(options).catch(fail));

program
  .command("listen")
  .description("receives deliveries, verifies them, and prints what they say")
  .option("--port <n>", "where to listen", positiveInteger, 9000)
  .option("--secret <secret>", "the destination's signing secret; without it nothing is verified")
  .action((options: { port: number; secret?: string }) => listen(options).catch(fail));

await program.parseAsync();

/** A receiver of Standard Webhooks that verifies what comes, and prints it. */
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const HOST = "127.0.0.1";

interface Delivered {
  data: {
    event: string;
    source: { kind: string; id: string | null; type: string | null };
    classification: { label: string; probability: number; model: { id: string } } | null;
  };
}

/** Ends with Ctrl-C. @throws Error if the port cannot be listened on */
export async function listen({ port, secret }: { port: number; secret?: string }): Promise<void> {
  const webhook = secret === undefined ? undefined : new Webhook(secret);
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    try {
      webhook?.verify(body, request.headers as Record<string, string>);
      console.log(describe(JSON.parse(body) as Delivered, webhook !== undefined));
      response.writeHead(204).end();
    } catch (error) {
      console.log(`refused: ${(error as Error).message}`);
      response.writeHead(400).end();
    }
  });
  await new Promise<void>((done, failed) => {
    server.once("error", (error) => failed(new Error(`listen: port ${port}: ${error.message}`)));
    server.listen(port, HOST, done);
  });
  console.log(
    `Receiving on http://${HOST}:${port}/ (Ctrl-C ends it)${webhook ? "" : "; without --secret nothing is verified"}`,
  );
}

function describe({ data }: Delivered, isVerified: boolean): string {
  const { event, source, classification } = data;
  const label = classification
    ? `${classification.label} (${classification.probability.toFixed(3)}, by ${classification.model.id})`
    : "no label: there was no text";
  return `${isVerified ? "verified" : "received"} ${event}, ${source.kind} ${source.type ?? ""} ${source.id ?? ""}: ${label}`;
}

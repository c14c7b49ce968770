/** Makes a hook through the API of a Worker, and prints the commands that go on from there. */
import { readAdminKey } from "../start/secrets.ts";
import { customSource, type Kind } from "./senders.ts";

export interface CreateOptions {
  kind: Kind;
  task: string;
  model?: string;
  text?: string[];
  to: string;
  label?: string;
  minProbability: number;
  secret?: string;
  worker: string;
  adminKey?: string;
}

interface Created {
  hook: { id: string; url: string };
  secret?: string;
  destinations: { url: string; signing_secret: string }[];
}

/** Where the sample events of the kinds have their text. */
const SAMPLE_TEXT: Record<Kind, string[]> = {
  github: ["/issue/title", "/issue/body"],
  stripe: ["/data/object/description"],
  standard: ["/data/text"],
  "custom-hmac": ["/data/text"],
  none: ["/data/text"],
};

/** @throws Error with what the Worker says is wrong */
export async function createHook(options: CreateOptions): Promise<void> {
  const { kind, task, model, text, to, label, minProbability, secret, worker } = options;
  const adminKey = options.adminKey ?? (await readAdminKey());
  if (!adminKey) throw new Error("create: expected --admin-key, or ADMIN_KEY in .dev.vars, which `npm start` makes");
  const request = {
    source: kind === "custom-hmac" ? customSource : kind === "none" ? { kind, id_pointer: "/id" } : { kind },
    secret,
    text: text ?? SAMPLE_TEXT[kind],
    task,
    model,
    rules: [{ label, min_probability: minProbability, action: "deliver", destination: to }],
    pass_headers: kind === "github" ? ["x-github-event"] : [],
  };
  const response = await fetch(new URL("/v1/hooks", worker), {
    method: "POST",
    headers: { authorization: `Bearer ${adminKey}`, "content-type": "application/json" },
    body: JSON.stringify(request),
  }).catch((cause: Error) => {
    throw new Error(`create: ${worker} does not answer; is \`npm start\` running?`, { cause });
  });
  const answer = (await response.json()) as Created & { detail?: string };
  if (!response.ok) throw new Error(`create: ${answer.detail ?? response.status}`);
  const { hook, destinations } = answer;
  const destination = destinations[0]!;
  const shown = kind === "none" || !answer.secret ? "" : ` --secret ${answer.secret}`;
  console.log(`Hook ${hook.id}
  its address         ${hook.url}
  the sender's secret ${answer.secret ?? "none yet: PATCH the hook with rotate_secret once the sender has shown it"}
  signs for ${destination.url} with ${destination.signing_secret}

Receive:  npm run hooks -- listen --port ${new URL(to).port || 80} --secret ${destination.signing_secret}
Send:     npm run hooks -- send --kind ${kind} --url ${hook.url}${shown}
See:      curl ${new URL(`/v1/hooks/${hook.id}/events`, worker)} -H "authorization: Bearer $ADMIN_KEY"`);
}

/** What the scenes share: hooks of every kind of sender, and events for them. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { customSource, type Kind, signRequest } from "../../hooks/senders.ts";
import type { Headers } from "./http.ts";
import type { HooksWorker } from "./worker.ts";

export interface ChaosHook {
  id: string;
  kind: Kind;
  secret: string;
  /** Path of the intake, the secret in it if the kind has it there. */
  path: string;
  /** Signing secret of each destination. */
  signingSecrets: Map<string, string>;
}

interface Created {
  hook: { id: string; url: string };
  secret: string;
  destinations: { url: string; signing_secret: string }[];
}

const golden: { text: string; labels: string[] }[] = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/tiny-classifier/golden.json", import.meta.url), "utf8"),
);
/** Texts, with the labels that the tiny model is known to give them. */
export const TASK = "topic";
const TASK_INDEX = 2;
export const TEXTS = golden
  .filter(({ text }) => text.trim() !== "")
  .map(({ text, labels }) => ({ text, label: labels[TASK_INDEX]! }));

/** @param destinations where events go, by label; under "" those without a rule of their own */
export async function makeHook(worker: HooksWorker, kind: Kind, destinations: Map<string, string>): Promise<ChaosHook> {
  const rules = [...destinations].map(([label, destination]) => {
    return { ...(label === "" ? {} : { label }), action: "deliver", destination };
  });
  const {
    hook,
    secret,
    destinations: secrets,
  } = await worker.admin<Created>("POST", "/v1/hooks", {
    source: kind === "custom-hmac" ? customSource : kind === "none" ? { kind, id_pointer: "/id" } : { kind },
    ...(kind === "stripe" ? { secret: `whsec_${randomUUID()}` } : {}),
    text: ["/data/object/description", "/issue/title"],
    task: TASK,
    rules,
  });
  const signingSecrets = new Map(secrets.map(({ url, signing_secret }) => [url, signing_secret]));
  return { id: hook.id, kind, secret, path: new URL(hook.url).pathname, signingSecrets };
}

export interface ChaosEvent {
  id: string;
  label: string;
  body: string;
}

/** The sender's event: its id is in the body as well, so that the receiver can tell it. */
export function makeEvent(kind: Kind): ChaosEvent {
  const id = `${kind}_${randomUUID()}`;
  const { text, label } = TEXTS[Math.floor(Math.random() * TEXTS.length)]!;
  const content =
    kind === "github" ? { action: "opened", issue: { title: text } } : { data: { object: { description: text } } };
  return { id, label, body: JSON.stringify({ id, type: "chaos.happened", ...content, sent: Date.now() }) };
}

export function sign(hook: ChaosHook, event: ChaosEvent): Promise<Headers> {
  return signRequest(hook.kind, hook.secret, event.body, { id: event.id });
}

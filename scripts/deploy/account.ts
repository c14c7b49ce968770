/** What of the Worker's surroundings is on the account, and how what is missing is made. */
import { errorOf, type Ran, type Wrangler } from "./wrangler.ts";

/** @throws Error that says how to log in */
export async function checkLogin(wrangler: Wrangler): Promise<void> {
  const ran = await wrangler.run(["whoami", "--json"]);
  if (ran.code === 0) return;
  throw new Error(
    `expected a login to Cloudflare, wrangler says: ${errorOf(ran)}; run npx wrangler login, or set CLOUDFLARE_API_TOKEN ` +
      "and CLOUDFLARE_ACCOUNT_ID where there is no browser",
  );
}

export async function hasBucket(wrangler: Wrangler, name: string): Promise<boolean> {
  const listed = await wrangler.call(["r2", "bucket", "list"]);
  return [...listed.matchAll(/^name:\s*(\S+)/gm)].some(([, other]) => other === name);
}

export async function createBucket(wrangler: Wrangler, name: string): Promise<void> {
  await wrangler.call(["r2", "bucket", "create", name]);
}

/** @throws Error if wrangler fails for another reason than that there is none */
export async function hasQueue(wrangler: Wrangler, name: string): Promise<boolean> {
  return isThere(await wrangler.run(["queues", "info", name]), `queues info ${name}`);
}

export async function createQueue(wrangler: Wrangler, name: string): Promise<void> {
  await wrangler.call(["queues", "create", name]);
}

/** Names of the Worker's secrets; none if it was never deployed. */
export async function listSecrets(wrangler: Wrangler): Promise<string[]> {
  const ran = await wrangler.run(["secret", "list", "--format", "json"]);
  if (!isThere(ran, "secret list")) return [];
  // It may say something before.
  const json = ran.stdout.slice(ran.stdout.indexOf("["));
  return (JSON.parse(json) as { name: string }[]).map(({ name }) => name);
}

/** Cloudflare's words for what is not there: queues, Workers. */
const MISSING = /does not exist|not found|\b(10007|11000)\b/i;

function isThere(ran: Ran, doing: string): boolean {
  if (ran.code === 0) return true;
  if (MISSING.test(ran.stdout + ran.stderr)) return false;
  throw new Error(`wrangler ${doing}: ${errorOf(ran)}`);
}

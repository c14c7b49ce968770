/**
 * From nothing to an answer at the edge: checks the login; makes the bucket, the queues and the secrets that are missing,
 * after asking; uploads the models; deploys; and makes a first call. After a failure it says how far it came, and can be
 * run again.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRemoteBucket } from "../publish/bucket.ts";
import { readModelFolder } from "../publish/model-folder.ts";
import { publish } from "../publish/publish.ts";
import { ensureSecrets, readSecrets, SECRETS } from "../start/secrets.ts";
import { checkLogin, createBucket, createQueue, hasBucket, hasQueue, listSecrets } from "./account.ts";
import { readDeployment, writeBilling } from "./settings.ts";
import { smokeTest } from "./smoke.ts";
import { type Step, takeSteps } from "./steps.ts";
import { Wrangler } from "./wrangler.ts";

export interface DeployOptions {
  yes?: true;
  billing?: "on" | "off";
  /** Whether to make a first call. */
  smoke: boolean;
  /** Path of the wrangler.toml; BILLING is written into it. */
  config: string;
  /** Where the secrets that are made are kept on this machine. */
  secrets: string;
  /** Folders of the models. */
  models: string[];
  ask: (question: string) => Promise<boolean>;
  /** Builds the kernels. */
  build: () => Promise<void>;
}

/** @throws Error that says how far it came */
export async function deploy(options: DeployOptions): Promise<void> {
  const { yes, config, secrets, smoke, build } = options;
  const ask = yes ? async () => true : options.ask;
  const wrangler = new Wrangler(config);
  const settings = await readDeployment(config);
  const models = await Promise.all(options.models.map(readModelFolder));
  let billing = settings.billing ?? options.billing;
  if (billing === undefined && yes) {
    throw new Error('expected --billing on or off with --yes, or BILLING = "on" or "off" in wrangler.toml');
  }
  let url: string | undefined;
  let missing: string[] = [];
  const steps: Step[] = [
    { name: "kernels", run: async () => void (await build()) },
    { name: "login", run: async () => void (await checkLogin(wrangler)) },
    {
      name: "billing",
      plan: async () => (settings.billing === undefined ? "" : undefined),
      async run() {
        billing ??= (await ask("Shall callers pay? Without it, anyone may use it for nothing.")) ? "on" : "off";
        await writeBilling(config, billing as "on" | "off");
        return `wrote BILLING = "${billing}" into wrangler.toml`;
      },
    },
    {
      name: `bucket ${settings.bucket}`,
      plan: async () =>
        (await hasBucket(wrangler, settings.bucket)) ? undefined : `Make the R2 bucket ${settings.bucket}?`,
      run: async () => void (await createBucket(wrangler, settings.bucket)),
    },
    ...settings.queues.map(
      (queue): Step => ({
        name: `queue ${queue}`,
        plan: async () => ((await hasQueue(wrangler, queue)) ? undefined : `Make the queue ${queue}?`),
        run: async () => void (await createQueue(wrangler, queue)),
      }),
    ),
    {
      name: "secrets",
      async plan() {
        const there = await listSecrets(wrangler);
        missing = Object.keys(SECRETS).filter((name) => !there.includes(name));
        if (missing.length === 0) return undefined;
        return `Make the secrets ${missing.join(" and ")}? They are kept in ${secrets}, and go up with the Worker.`;
      },
      async run() {
        await ensureSecrets(secrets, missing);
        return `${missing.join(" and ")} in ${secrets}`;
      },
    },
    {
      name: "models",
      async run() {
        const bucket = await openRemoteBucket(["--remote"], (args) => wrangler.run(args));
        try {
          for (const model of models) await publish(bucket, model);
        } finally {
          await bucket.close();
        }
        return models.map(({ manifest }) => `${manifest.id} ${manifest.version}`).join(", ");
      },
    },
    {
      name: "Worker",
      async run() {
        url = await deployWorker(wrangler, await readSecrets(secrets, missing));
        return url;
      },
    },
    ...(smoke ? [{ name: "first call", run: () => smokeTest(url!, models[0]!.manifest, billing!) }] : []),
  ];
  await takeSteps(steps, ask);
}

/** @returns its address */
async function deployWorker(wrangler: Wrangler, secrets: Record<string, string>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "edge-slm-deploy-"));
  try {
    const args = ["deploy"];
    if (Object.keys(secrets).length > 0) {
      const path = join(directory, "secrets.json");
      await writeFile(path, JSON.stringify(secrets), { mode: 0o600 });
      args.push("--secrets-file", path);
    }
    const output = await wrangler.call(args);
    const found =
      /https:\/\/\S+\.workers\.dev/.exec(output)?.[0] ?? /^\s+(\S+\.\S+) \(custom domain\)/m.exec(output)?.[1];
    if (found === undefined)
      throw new Error("wrangler named no address of the Worker; is workers_dev off, and no route set?");
    return found.startsWith("https://") ? found : `https://${found}`;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * `npm run deploy [-- --yes] [--billing on|off]`: puts the Worker on a Cloudflare account. What it does is in
 * deploy/deploy.ts.
 */
import { createInterface } from "node:readline/promises";
import { Command, Option } from "commander";
import { fail } from "./cli.ts";
import { type DeployOptions, deploy } from "./deploy/deploy.ts";
import { configPath } from "./publish/bucket.ts";
import { listModelFolders } from "./publish/model-folder.ts";
import { runBuild } from "./run-build.ts";
import { deployedVarsPath } from "./start/secrets.ts";

const options = new Command("deploy")
  .description("Puts the Worker on your Cloudflare account")
  .option("--yes", "do not ask, as where nobody is there to answer")
  .addOption(
    new Option("--billing <on|off>", "whether answers cost money, if wrangler.toml does not say").choices([
      "on",
      "off",
    ]),
  )
  .option("--no-smoke", "without the first call")
  .allowExcessArguments(false)
  .parse()
  .opts<Pick<DeployOptions, "yes" | "billing" | "smoke">>();

async function ask(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new Error(`nobody is there to answer "${question}"; --yes says yes to all`);
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

async function main(): Promise<void> {
  const models = await listModelFolders();
  await deploy({ ...options, config: configPath, secrets: deployedVarsPath, models, ask, build: runBuild });
}

await main().catch(fail);

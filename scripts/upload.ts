/**
 * `npm run upload [-- <folder or id>] [--remote] [--prune] [--force] [--json FILE]`: checks a model and puts it into
 * R2, the local bucket of `wrangler dev` or the real one. Without a name, all of `models/`.
 */
import { Command } from "commander";
import { fail, writeJson } from "./cli.ts";
import { openLocalBucket, openRemoteBucket } from "./publish/bucket.ts";
import { findModelFolder, listModelFolders, readModelFolder } from "./publish/model-folder.ts";
import { type Published, publish } from "./publish/publish.ts";

const program = new Command("upload")
  .description("Checks a model and puts it into R2, the manifest last")
  .argument("[model]", "a model's folder, or its name in models/; without it, all of models/")
  .option("--remote", "into the real bucket instead of the local one")
  .option("--prune", "delete the files of the version that was live before")
  .option("--force", "upload a version that is there already")
  .option("--json <file>", "write the figures to a file")
  .allowExcessArguments(false)
  .parse();

async function upload(model: string | undefined): Promise<void> {
  const options = program.opts<{
    remote?: boolean;
    prune?: boolean;
    force?: boolean;
    json?: string;
  }>();
  const folders = model === undefined ? await listModelFolders() : [await findModelFolder(model)];
  // All are checked before the first is written.
  const models = [];
  for (const folder of folders) models.push(await readModelFolder(folder));
  const bucket = options.remote ? await openRemoteBucket() : await openLocalBucket();
  const published: Published[] = [];
  try {
    for (const folder of models) {
      const result = await publish(bucket, folder, options);
      published.push(result);
      const mib = (result.bytes / 2 ** 20).toFixed(2);
      console.log(
        `${result.id} ${result.version}: ${result.uploaded ? `uploaded ${mib} MiB to` : "is already in"} ${bucket.name}` +
          (result.pruned_version ? `, deleted ${result.pruned_version}` : ""),
      );
    }
  } finally {
    await bucket.close();
  }
  if (options.json) await writeJson(options.json, { models: published });
}

await upload(program.args[0]).catch(fail);

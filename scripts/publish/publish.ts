/**
 * Puts a checked model into a bucket: its files first, its manifest last, so that a reader sees the old version or the
 * new one. A version that is there is left alone.
 */
import {
  type Manifest,
  type ManifestFile,
  type ModelFileName,
  manifestKey,
  parseManifest,
} from "../../worker/model/manifest.ts";
import type { Bucket } from "./bucket.ts";
import type { ModelFolder } from "./model-folder.ts";

const CONTENT_TYPE: Record<ModelFileName, string> = {
  "config.json": "application/json",
  "tokenizer.json": "application/json",
  "items.txt": "text/plain; charset=utf-8",
  "model.safetensors": "application/octet-stream",
  "card.md": "text/markdown; charset=utf-8",
};

export interface PublishOptions {
  /** Upload even if the bucket says it has this version. */
  force?: boolean;
  /** Delete the files of the version that was live before. */
  prune?: boolean;
}

export interface Published {
  id: string;
  version: string;
  bytes: number;
  uploaded: boolean;
  pruned_version: string | null;
}

export async function publish(bucket: Bucket, model: ModelFolder, options: PublishOptions = {}): Promise<Published> {
  const { manifest, contents } = model;
  const { id, version } = manifest;
  const previous = await readPrevious(bucket, id);
  const bytes = [...contents.values()].reduce((sum, content) => sum + content.length, 0);
  const isThere = !options.force && previous?.version === version && (await isComplete(bucket, previous));
  if (!isThere) {
    for (const [name, content] of contents) await bucket.put(manifest.files[name]!.key, content, CONTENT_TYPE[name]);
    const json = `${JSON.stringify(manifest, null, 2)}\n`;
    await bucket.put(manifestKey(id), new TextEncoder().encode(json), CONTENT_TYPE["config.json"]);
  }
  const prune = options.prune && previous && previous.version !== version;
  if (prune) await bucket.delete(filesOf(previous).map(({ key }) => key));
  return {
    id,
    version,
    bytes,
    uploaded: !isThere,
    pruned_version: prune ? previous.version : null,
  };
}

async function readPrevious(bucket: Bucket, id: string): Promise<Manifest | undefined> {
  const text = await bucket.getText(manifestKey(id));
  if (text === undefined) return undefined;
  try {
    return parseManifest(manifestKey(id), text);
  } catch {
    // A broken manifest is mended by the upload.
    return undefined;
  }
}

async function isComplete(bucket: Bucket, manifest: Manifest): Promise<boolean> {
  const there = await Promise.all(filesOf(manifest).map(({ key, bytes }) => bucket.has(key, bytes)));
  return there.every(Boolean);
}

function filesOf(manifest: Manifest): ManifestFile[] {
  return Object.values(manifest.files).filter((file) => file !== undefined);
}

/**
 * What a model is, part 4: how it lies in R2.
 *
 *   models/<id>/manifest.json                     which version is live, its files, sizes and sha256 sums
 *   models/<id>/<version>/config.json             the trio, and the card
 *   models/<id>/<version>/tokenizer.json          items.txt, of a recommender
 *   models/<id>/<version>/model.safetensors
 *   models/<id>/<version>/card.md
 *
 * A version's files never change, and the manifest is written last: a reader sees the old version or the new one,
 * never half of one. The manifest carries the whole configuration, so that the list of models and the start of a
 * load need no other object.
 */
import { z } from "zod";
import { type ConfigOf, describeIssues, modelConfigSchema, type Task } from "./config.ts";

export const MODEL_PREFIX = "models/";
export const MODEL_FILES = ["config.json", "tokenizer.json", "items.txt", "model.safetensors", "card.md"] as const;
export type ModelFileName = (typeof MODEL_FILES)[number];

/** What a model reads: text through a tokenizer, or ids of a catalogue. */
export function vocabularyFile(task: Task): "tokenizer.json" | "items.txt" {
  return task === "recommendation" ? "items.txt" : "tokenizer.json";
}

/** Lower case, so that an id is the same on every file system. */
export const modelIdSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, { error: "expected a model id: a-z, 0-9, '.', '_' and '-', at most 64" });

const fileSchema = z.object({
  key: z.string().min(1),
  bytes: z.int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type ManifestFile = z.infer<typeof fileSchema>;

export const manifestSchema = z
  .object({
    id: modelIdSchema,
    /** The first 12 hexadecimal digits of the sha256 over the files' sums: the same bytes have the same version. */
    version: z.string().regex(/^[0-9a-f]{12}$/),
    config: modelConfigSchema,
    files: z.object({
      "config.json": fileSchema,
      "tokenizer.json": fileSchema.optional(),
      "items.txt": fileSchema.optional(),
      "model.safetensors": fileSchema,
      "card.md": fileSchema.optional(),
    }),
  })
  .superRefine(({ config, files }, context) => {
    const name = vocabularyFile(config.task);
    if (!files[name]) context.addIssue({ code: "custom", path: ["files", name], message: "expected it, got none" });
  });
/** The manifest of a model, for one task or any. */
export type Manifest<T extends Task = Task> = Omit<z.infer<typeof manifestSchema>, "config"> & { config: ConfigOf<T> };

export function isManifestFor<T extends Task>(task: T, manifest: Manifest): manifest is Manifest<T> {
  return manifest.config.task === task;
}

export function manifestKey(id: string): string {
  return `${MODEL_PREFIX}${id}/manifest.json`;
}

export function fileKey(id: string, version: string, name: ModelFileName): string {
  return `${MODEL_PREFIX}${id}/${version}/${name}`;
}

/**
 * Parses the text of a `manifest.json`.
 * @throws Error naming the key and each member that is wrong
 */
export function parseManifest(key: string, text: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${key}: expected JSON, got ${JSON.stringify(text.slice(0, 40))}; upload the model again`, {
      cause,
    });
  }
  const result = manifestSchema.safeParse(json);
  if (!result.success) throw new Error(`${key}: ${describeIssues(result.error)}; upload the model again`);
  return result.data;
}

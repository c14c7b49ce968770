/** Makes and fills knowledge bases: checks what comes, embeds it, and has the base's object keep it. */

import type { z } from "zod";
import type { AppEnv } from "../context.ts";
import type { Env } from "../env.ts";
import { Problem } from "../errors.ts";
import { refuseUrl } from "../hooks/destination.ts";
import { randomSecret, requireHooksKey, seal } from "../hooks/secrets.ts";
import type { Manifest } from "../model/manifest.ts";
import type { Base, baseSettingsSchema, VectorModel } from "./base.ts";
import { knowledgeDirectoryOf } from "./directory.ts";
import { webhookSecret } from "./handoff.ts";
import { type ImportType, importRows, type Refused, readRows } from "./import.ts";
import { knowledgeObjectOf, type PutResult, type Refusal } from "./knowledge-object.ts";
import { prepareEntries } from "./prepare.ts";

type Variables = Pick<AppEnv["Variables"], "store" | "scope">;

/**
 * Makes a base, or changes its settings; its entries stay.
 * @returns the base, and the webhook's signing secret if it has one
 * @throws Problem invalid_webhook, hooks_disabled
 */
export async function putBase(
  env: Env,
  { scope }: Pick<Variables, "scope">,
  id: string,
  settings: z.output<typeof baseSettingsSchema>,
): Promise<{ base: Base; isNew: boolean; secret: string | undefined }> {
  const object = knowledgeObjectOf(env, id);
  const before = await object.read();
  const base: Base = { ...settings, id, createdMs: before?.createdMs ?? Date.now() };
  if (before?.sealedSeed !== undefined) base.sealedSeed = before.sealedSeed;
  const url = base.handoff_webhook;
  let secret: string | undefined;
  if (url !== undefined) {
    const refusal = refuseUrl(url, scope.settings);
    if (refusal !== undefined) throw new Problem("invalid_webhook", `handoff_webhook: ${refusal}`);
    const hooksKey = requireHooksKey(scope.settings.hooksKey);
    base.sealedSeed ??= await seal(randomSecret().toBase64(), `knowledge ${id}`, hooksKey);
    secret = await webhookSecret(base, url, hooksKey);
  }
  // First the entry: one without a base is passed over, a base without an entry would be lost.
  await knowledgeDirectoryOf(env).add(id);
  await object.write(base);
  return { base, isNew: before === undefined, secret };
}

export interface ImportResult extends PutResult {
  refused: Refused[];
}

/**
 * Takes the good rows of an import into a base, all of them or none.
 * @param source of the entries that name none
 * @throws Problem unknown_knowledge_base, malformed_request, too_long, knowledge_base_full, other_model, or of the model
 */
export async function importEntries(
  env: Env,
  { store, scope }: Variables,
  id: string,
  type: ImportType,
  body: string,
  source: string | undefined,
  signal: AbortSignal,
): Promise<ImportResult> {
  const object = knowledgeObjectOf(env, id);
  if (!(await object.read())) throw unknownBase(id);
  const rows = importRows(type, body);
  const { maxImportEntries } = scope.settings;
  if (rows.length > maxImportEntries) {
    throw new Problem(
      "too_long",
      `expected at most ${maxImportEntries} entries, got ${rows.length}; send several requests`,
      {
        extensions: { max_entries: maxImportEntries },
      },
    );
  }
  const { entries, refused } = await readRows(rows);
  const [manifest] = await store.candidates(scope, "embedding");
  const lease = await store.acquire(scope, manifest!);
  try {
    await lease.enter(1);
    const prepared = await prepareEntries(entries, lease.model, source, refused, signal);
    const result = await object.put(prepared, vectorModelOf(lease.model.manifest));
    if ("refused" in result) throw refusalProblem(id, result, scope.settings.maxKnowledgePassages);
    return { ...result, refused };
  } finally {
    lease.release();
  }
}

export function vectorModelOf({ id, config, files }: Manifest<"embedding">): VectorModel {
  return { id, weights: files["model.safetensors"].sha256, dimensions: config.d_model };
}

export function unknownBase(id: string): Problem {
  return new Problem("unknown_knowledge_base", `expected a knowledge base that there is, got ${JSON.stringify(id)}`);
}

export function refusalProblem(id: string, refusal: Refusal, maxPassages: number): Problem {
  switch (refusal.refused) {
    case "unknown":
      return unknownBase(id);
    case "other_model":
      return new Problem(
        "other_model",
        `knowledge base ${id}: its vectors are of another version of ${refusal.model.id}; delete it, and import its entries again`,
      );
    case "full":
      return new Problem(
        "knowledge_base_full",
        `knowledge base ${id}: expected at most ${maxPassages} passages (MAX_KNOWLEDGE_PASSAGES), it has ${refusal.passages}; nothing was taken`,
        { extensions: { max_passages: maxPassages, passages: refusal.passages } },
      );
  }
}

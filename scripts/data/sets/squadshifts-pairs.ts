/**
 * SQuAD-shifts: paragraphs of Wikipedia and of reviews, and questions that they answer (Miller et al. 2020,
 * arXiv:2004.14444). Published as test sets; here every second paragraph of a file, those of an even number counted from
 * zero, is trained on, and the others are held out.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { readIfThere } from "../download.ts";
import { gunzipLines } from "../lines.ts";
import { gitHubFolder } from "../public.ts";
import type { SourceOptions } from "../rows.ts";

const REPOSITORY = "modestyachts/squadshifts-website";
const COMMIT = "b7cc4d50af791c36c49417fb94dd739d6a9e7bef";
const FILES = {
  new_wiki: "ff039f0e0fe54786587ba97ae1cfe9c9cdb2ef867ef9ca03ff139ce87ccde3ef",
  amazon_reviews: "2a8cec8ec63e11eabf6a93a74f4c935ff8023c552bb550147fdb65c83506f058",
};

export const SQUADSHIFTS_CARD = {
  name: "SQuAD-shifts (every second paragraph of new_wiki and amazon)",
  licence: "CC BY 4.0",
};

export interface Paragraph {
  text: string;
  /** With the place of an answer in the text. */
  questions: { question: string; start: number }[];
}

const paragraphSchema = z.object({
  context: z.string(),
  qas: z.array(z.object({ question: z.string(), starts: z.array(z.int()) })),
});

/**
 * The paragraphs to train on, and those that are held out.
 * @throws Error if no mirror is named, or a file in it is missing, broken or another one
 */
export async function loadParagraphs(options: SourceOptions = {}): Promise<{ train: Paragraph[]; test: Paragraph[] }> {
  const dataDir = options.dataDir ?? (process.env.EDGE_SLM_DATA || undefined);
  if (dataDir === undefined) {
    throw new Error(
      `squadshifts: expected a mirror of ${gitHubFolder(REPOSITORY, COMMIT)}; name it with --data or EDGE_SLM_DATA`,
    );
  }
  const parts = { train: [] as Paragraph[], test: [] as Paragraph[] };
  for (const [name, sha256] of Object.entries(FILES)) {
    const path = join(dataDir, "qa_squadshifts", `${name}.jsonl.gz`);
    const bytes = await readIfThere(path);
    if (bytes === undefined) throw new Error(`squadshifts: expected the file ${path}; check --data or EDGE_SLM_DATA`);
    const lines = gunzipLines(bytes, path);
    const got = createHash("sha256").update(lines.join("\n")).digest("hex");
    if (got !== sha256) throw new Error(`${path}: expected content with sha256 ${sha256}, got ${got}`);
    for (const [i, line] of lines.entries()) {
      const { context, qas } = paragraphSchema.parse(JSON.parse(line));
      const questions = qas.map(({ question, starts }) => ({ question: question.trim(), start: starts[0] ?? 0 }));
      parts[i % 2 === 0 ? "train" : "test"].push({ text: context, questions });
    }
  }
  return parts;
}

/** What a knowledge base is made of: question–answer pairs and documents, and how a row of an import becomes one. */
import { z } from "@hono/zod-openapi";
import { cleanText } from "../text/clean.ts";

export const MAX_QUESTIONS = 50;

const words = (most: number) =>
  z
    .string()
    .transform((text) => cleanText(text).trim())
    .pipe(z.string().min(1, "expected some text").max(most));

/** As it is sent. */
export const entrySchema = z
  .strictObject({
    id: z
      .string()
      .regex(/^[\p{L}\p{N}._:/-]{1,128}$/u, "expected 1 to 128 letters, digits and . _ : / -")
      .optional()
      .openapi({ description: "Without one it follows from the question or the title; the same id replaces" }),
    question: z
      .union([words(2_000), z.array(words(2_000)).min(1).max(MAX_QUESTIONS)])
      .optional()
      .openapi({ description: "Of a pair: what people ask, or several ways to ask it" }),
    answer: words(20_000).optional().openapi({ description: "Of a pair" }),
    title: words(500).optional().openapi({ description: "Of a document" }),
    text: words(200_000).optional().openapi({
      description: "Of a document: paragraphs with empty lines between them; lines that begin with # are headings",
    }),
    source: z
      .string()
      .trim()
      .max(2_000)
      .optional()
      .openapi({ description: "Where it stands, e.g. a URL; told with an answer" }),
  })
  .refine(
    ({ question, answer, title, text }) =>
      (question !== undefined && answer !== undefined && title === undefined && text === undefined) ||
      (text !== undefined && question === undefined && answer === undefined),
    { error: "expected question and answer, or text with a title if it has one" },
  )
  .openapi("KnowledgeEntry");

/** As it is kept. */
export interface Entry {
  id: string;
  kind: "pair" | "document";
  /** Of a pair its questions, of a document its title. */
  heads: string[];
  /** The answer, or the text. */
  body: string;
  source: string | null;
}

/**
 * @throws z.ZodError
 */
export async function readEntry(row: unknown): Promise<Entry> {
  const { id, question, answer, title, text, source } = entrySchema.parse(row);
  const kind = answer === undefined ? "document" : "pair";
  const heads = kind === "pair" ? [question!].flat() : title === undefined ? [] : [title];
  const body = (answer ?? text)!;
  return { id: id ?? (await idOf(heads[0] ?? body)), kind, heads, body, source: source || null };
}

/** The same for the same words, so that an import without ids can be repeated. */
async function idOf(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text.toLowerCase());
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes), 0, 12);
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

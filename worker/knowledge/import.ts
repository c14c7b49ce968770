/**
 * An import's body → rows that may become entries, each with its place: JSON, JSON lines, CSV with a header line, or
 * Markdown. Rows are checked one by one (entry.ts): a bad one is named and left out, the others are none the worse.
 *
 * Markdown is cut at its headings. A heading that ends with a question mark and what stands below it are a pair; below
 * any other heading is a document, whose title is the path of the headings above it.
 */
import { parse } from "csv-parse/browser/esm/sync";
import { z } from "zod";
import { Problem } from "../errors.ts";
import { describeIssues } from "../model/config.ts";
import { type Entry, readEntry } from "./entry.ts";

export const IMPORT_TYPES = {
  json: "application/json",
  jsonl: "application/x-ndjson",
  csv: "text/csv",
  markdown: "text/markdown",
} as const;
export type ImportType = keyof typeof IMPORT_TYPES;

export interface ImportRow {
  /** "row 3", "line 17": for people. */
  place: string;
  value: unknown;
}

export interface Refused {
  place: string;
  /** If it has one. */
  id?: string;
  reason: string;
}

/** @throws Problem malformed_request if nothing of the body can be read */
export function importRows(type: ImportType, body: string): ImportRow[] {
  switch (type) {
    case "json":
      return jsonRows(body);
    case "jsonl":
      return jsonLines(body);
    case "csv":
      return csvRows(body);
    case "markdown":
      return markdownRows(body);
  }
}

/** Checks rows, and of those with one id keeps the last. */
export async function readRows(rows: readonly ImportRow[]): Promise<{ entries: Entry[]; refused: Refused[] }> {
  const entries = new Map<string, Entry>();
  const refused: Refused[] = [];
  for (const { place, value } of rows) {
    if (value instanceof Error) {
      refused.push({ place, reason: value.message });
      continue;
    }
    try {
      const entry = await readEntry(value);
      entries.set(entry.id, entry);
    } catch (error) {
      if (!(error instanceof z.ZodError)) throw error;
      const { id } = (value ?? {}) as { id?: unknown };
      refused.push({ place, ...(typeof id === "string" ? { id } : {}), reason: describeIssues(error) });
    }
  }
  return { entries: [...entries.values()], refused };
}

function jsonRows(body: string): ImportRow[] {
  let entries: unknown;
  try {
    entries = (JSON.parse(body) as { entries?: unknown } | null)?.entries;
  } catch (cause) {
    throw new Problem("malformed_request", "expected JSON", { cause });
  }
  if (!Array.isArray(entries)) throw new Problem("malformed_request", 'expected { "entries": […] }');
  return entries.map((value: unknown, i) => ({ place: `entry ${i + 1}`, value }));
}

function jsonLines(body: string): ImportRow[] {
  return body.split(/\r?\n/).flatMap((line, i) => {
    if (line.trim() === "") return [];
    const place = `line ${i + 1}`;
    try {
      return [{ place, value: JSON.parse(line) as unknown }];
    } catch {
      return [{ place, value: new Error(`expected JSON, got ${JSON.stringify(line.slice(0, 40).toWellFormed())}`) }];
    }
  });
}

const COLUMNS = ["id", "question", "answer", "title", "text", "source"];

function csvRows(body: string): ImportRow[] {
  let records: { record: string[]; info: { lines: number } }[];
  try {
    records = parse(body, {
      bom: true,
      info: true,
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
    }) as unknown as typeof records;
  } catch (cause) {
    throw new Problem("malformed_request", `expected CSV; ${(cause as Error).message}`, { cause });
  }
  const [header, ...rest] = records;
  const columns = header?.record.map((name) => name.trim().toLowerCase()) ?? [];
  const unknown = columns.filter((name) => !COLUMNS.includes(name));
  const isWhole = ["question,answer", "text"].some((needed) =>
    needed.split(",").every((name) => columns.includes(name)),
  );
  if (unknown.length > 0 || !isWhole) {
    throw new Problem(
      "malformed_request",
      `expected a header line with question and answer, or with text, out of ${COLUMNS.join(", ")}; got ${columns.join(", ")}`,
    );
  }
  return rest.map(({ record, info }) => {
    const place = `line ${info.lines}`;
    if (record.length !== columns.length) {
      return { place, value: new Error(`expected ${columns.length} fields, got ${record.length}`) };
    }
    // An empty field is none, so that pairs and documents may stand in one table.
    const fields = columns.map((name, i) => [name, record[i]!] as const).filter(([, value]) => value.trim() !== "");
    return { place, value: Object.fromEntries(fields) };
  });
}

const HEADING = /^(#{1,6})\s+(.+?)\s*#*\s*$/;

function markdownRows(body: string): ImportRow[] {
  const rows: ImportRow[] = [];
  const path: string[] = [];
  let section = { line: 1, lines: [] as string[] };
  let fence = false;
  const close = () => {
    const text = section.lines.join("\n").trim();
    if (text === "") return;
    const place = `line ${section.line}`;
    const heading = path.at(-1) ?? "";
    const title = path.filter((part) => part !== "").join(" › ");
    if (heading.endsWith("?")) rows.push({ place, value: { question: heading, answer: text } });
    else rows.push({ place, value: { ...(title === "" ? {} : { title: title.slice(0, 500) }), text } });
  };
  for (const [i, line] of body
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    if (/^\s*(```|~~~)/.test(line)) fence = !fence;
    const heading = fence ? null : HEADING.exec(line);
    if (!heading) {
      section.lines.push(line);
      continue;
    }
    close();
    const level = heading[1]!.length;
    path.length = Math.min(path.length, level - 1);
    while (path.length < level - 1) path.push("");
    path.push(heading[2]!);
    section = { line: i + 1, lines: [] };
  }
  close();
  return rows;
}

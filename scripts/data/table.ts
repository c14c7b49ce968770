/**
 * A model maker's own CSV or JSON lines file → labelled texts: finds the columns, says what it took, and refuses what
 * no classifier could be trained on with the file and the line in the message. CSV may be separated by commas,
 * semicolons or tabs; the text is UTF-8, with or without a byte order mark.
 */
import { readFile } from "node:fs/promises";
import { basename, extname } from "node:path";
import { hash32, shuffle, uniformStream } from "../training/random.ts";
import { type LabelledText, type Splits, textKey } from "./classification.ts";
import { parseCsv } from "./csv.ts";
import { decodeUtf8 } from "./utf8.ts";

/** A labelled text and where it came from. */
export interface TableText extends LabelledText {
  label: string;
  /** Line of the file that its row begins in, from 1. */
  line: number;
}

export interface LabelledTable {
  /** File name, as errors call it. */
  name: string;
  texts: TableText[];
  textColumn: string;
  labelColumn: string;
  /** What a person should know: which columns were taken and why, and which rows were left out. One line each. */
  notes: string[];
}

export interface TableOptions {
  /** Column of the texts; default: the one with the longest texts on average. */
  text?: string | undefined;
  /** Column of the classes; default: of the others, the one with the fewest different values, each of them repeated. */
  label?: string | undefined;
}

/** A row as it stands: a value for each column, "" where it is missing. */
export interface RawRow {
  values: string[];
  line: number;
}

export interface RawTable {
  columns: string[];
  rows: RawRow[];
  /** Columns with an object or a list in them, which no text or label can be read from, and the first such line. */
  nested: Map<string, number>;
}

/** With fewer rows than this neither training nor a test says anything. */
export const MIN_ROWS = 20;

/**
 * Reads a file by its ending: .csv, .tsv or .txt, .jsonl or .ndjson.
 * @throws Error naming file and line: not UTF-8, no such column, a missing label, too few rows, one class only, a class
 *   with one row, a JSON line that is no object
 */
export async function readTable(path: string, options: TableOptions = {}): Promise<LabelledTable> {
  return parseTable(await readTableFile(path), basename(path), options);
}

/** The bytes of a table's file. */
export async function readTableFile(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new Error(`readTable: cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
}

/** As `readTable`, of the bytes of a file called `name`. */
export function parseTable(bytes: Uint8Array, name: string, options: TableOptions = {}): LabelledTable {
  const table = parseRows(bytes, name);
  const chosen = chooseColumns(table, name, options);
  const textAt = table.columns.indexOf(chosen.text);
  const labelAt = table.columns.indexOf(chosen.label);
  const { notes } = chosen;

  const texts: TableText[] = [];
  const withoutText: number[] = [];
  for (const { values, line } of table.rows) {
    const label = values[labelAt]!.trim();
    if (label === "") {
      throw new Error(
        `${name}, line ${line}: expected a label in column ${quote(chosen.label)}, got none; fill it in or delete the row`,
      );
    }
    const text = values[textAt]!.trim();
    if (text === "") withoutText.push(line);
    else texts.push({ text, label, line });
  }
  if (withoutText.length > 0) {
    notes.push(
      `${withoutText.length} ${withoutText.length === 1 ? "row has" : "rows have"} no text in ${quote(chosen.text)} and ${withoutText.length === 1 ? "is" : "are"} left out, the first in line ${withoutText[0]}`,
    );
  }
  const contradictions = findContradictions(texts);
  if (contradictions.length > 0) {
    const [first, second] = contradictions[0]!;
    notes.push(
      `${contradictions.length} ${contradictions.length === 1 ? "text has" : "texts have"} more than one label, ` +
        `e.g. ${quote(first.label)} in line ${first.line} and ${quote(second.label)} in line ${second.line}`,
    );
  }
  checkClasses(texts, name, chosen.label);
  return { name, texts, textColumn: chosen.text, labelColumn: chosen.label, notes };
}

/** The rows of a file as they stand; which columns mean what is the caller's. @throws Error as of `readTable` */
export function parseRows(bytes: Uint8Array, name: string): RawTable {
  const text = decodeUtf8(bytes, name);
  const isJson = [".jsonl", ".ndjson"].includes(extname(name).toLowerCase());
  return isJson ? readJsonLines(text, name) : readCsv(text, name);
}

function readCsv(text: string, name: string): RawTable {
  let records: ReturnType<typeof parseCsv>;
  try {
    records = parseCsv(text, { delimiter: findDelimiter(text) });
  } catch (cause) {
    throw new Error(`${name}, ${(cause as Error).message}`, { cause });
  }
  const [header, ...rows] = records;
  if (header === undefined) throw new Error(`${name}: expected a header line and rows, got an empty file`);
  const columns = header.fields.map((column) => column.trim());
  const twice = columns.find((column, i) => columns.indexOf(column) < i);
  if (twice !== undefined)
    throw new Error(`${name}, line ${header.line}: expected different column names, got ${quote(twice)} twice`);
  return {
    columns,
    rows: rows.map(({ fields, line }) => {
      if (fields.length > columns.length) {
        throw new Error(
          `${name}, line ${line}: expected ${columns.length} fields as in the header, got ${fields.length}; ` +
            "a field with the delimiter inside needs quotes",
        );
      }
      return { values: columns.map((_, i) => fields[i] ?? ""), line };
    }),
    nested: new Map(),
  };
}

/** Of comma, semicolon and tab the one that the header line has most of, outside quotes. */
function findDelimiter(text: string): string {
  const header = text.replace(/"[^"]*"/g, "").split(/[\r\n]/, 1)[0]!;
  const count = (delimiter: string) => header.split(delimiter).length;
  return [",", ";", "\t"].reduce((best, candidate) => (count(candidate) > count(best) ? candidate : best));
}

function readJsonLines(text: string, name: string): RawTable {
  const columns: string[] = [];
  const objects: { object: Record<string, unknown>; line: number }[] = [];
  for (const [i, content] of text.split("\n").entries()) {
    if (content.trim() === "") continue;
    const place = `${name}, line ${i + 1}`;
    let value: unknown;
    try {
      value = JSON.parse(content);
    } catch (cause) {
      throw new Error(`${place}: expected a JSON object, got ${quote(content.slice(0, 40))}`, { cause });
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new Error(`${place}: expected a JSON object, got ${quote(content.slice(0, 40))}`);
    }
    for (const key of Object.keys(value)) if (!columns.includes(key)) columns.push(key);
    objects.push({ object: value as Record<string, unknown>, line: i + 1 });
  }
  const nested = new Map<string, number>();
  const rows = objects.map(({ object, line }) => ({
    values: columns.map((key) => {
      const value = object[key];
      if (typeof value === "object" && value !== null && !nested.has(key)) nested.set(key, line);
      return value === undefined || value === null || nested.has(key) ? "" : String(value);
    }),
    line,
  }));
  return { columns, rows, nested };
}

function chooseColumns(
  table: RawTable,
  name: string,
  options: TableOptions,
): { text: string; label: string; notes: string[] } {
  const { columns, rows, nested } = table;
  const listed = columns.map(quote).join(", ");
  if (rows.length < MIN_ROWS) throw new Error(`${name}: expected at least ${MIN_ROWS} rows, got ${rows.length}`);
  for (const [option, column] of [
    ["text", options.text],
    ["label", options.label],
  ] as const) {
    if (column !== undefined && !columns.includes(column)) {
      throw new Error(`${name}: expected a column ${quote(column)} (--${option}), got the columns ${listed}`);
    }
    if (column !== undefined && nested.has(column)) {
      throw new Error(
        `${name}, line ${nested.get(column)}: expected text as ${quote(column)}, got an object or a list`,
      );
    }
  }
  if (columns.length - nested.size < 2)
    throw new Error(`${name}: expected a column of texts and one of labels, got only ${listed}`);
  if (options.text !== undefined && options.text === options.label) {
    throw new Error(`${name}: expected two columns, got ${quote(options.text)} for both --text and --label`);
  }
  const notes: string[] = [];
  let { text, label } = options;
  const valuesOf = (column: string) => {
    const at = columns.indexOf(column);
    return rows.map(({ values }) => values[at]!.trim());
  };
  if (text === undefined) {
    const candidates = columns.filter((column) => column !== label && !nested.has(column));
    const lengths = candidates.map((column) => ({
      column,
      length: mean(valuesOf(column).map((value) => value.length)),
    }));
    const longest = lengths.reduce((best, candidate) => (candidate.length > best.length ? candidate : best));
    text = longest.column;
    notes.push(
      `texts from column ${quote(text)}: the longest, ${Math.round(longest.length)} characters on average (--text takes another)`,
    );
  }
  if (label === undefined) {
    const candidates = columns
      .filter((column) => column !== text && !nested.has(column))
      .map((column) => ({ column, classes: new Set(valuesOf(column).filter((value) => value !== "")).size }))
      // Twice at least on average: a column of ids or names is no column of classes, and neither is one of one value.
      .filter(({ classes }) => classes >= 2 && classes <= rows.length / 2);
    if (candidates.length === 0) {
      throw new Error(
        `${name}: found no column of labels beside ${quote(text)}, one with two or more values that repeat; name it with --label out of ${listed}`,
      );
    }
    const fewest = candidates.reduce((best, candidate) => (candidate.classes < best.classes ? candidate : best));
    label = fewest.column;
    notes.push(`labels from column ${quote(label)}: ${fewest.classes} different values (--label takes another)`);
  }
  return { text, label, notes };
}

function checkClasses(texts: TableText[], name: string, column: string): void {
  if (texts.length < MIN_ROWS)
    throw new Error(`${name}: expected at least ${MIN_ROWS} rows with a text, got ${texts.length}`);
  const byLabel = groupBy(texts, ({ label }) => label);
  if (byLabel.size === 1) {
    throw new Error(
      `${name}: expected two or more classes in column ${quote(column)}, got only ${quote(texts[0]!.label)}`,
    );
  }
  for (const [label, [first, ...others]] of byLabel) {
    if (others.length === 0) {
      throw new Error(
        `${name}, line ${first!.line}: expected two or more rows of each class, got one of ${quote(label)}; ` +
          "add rows, rename it or delete it",
      );
    }
  }
}

/** Equal texts with different labels, the first two of each. */
function findContradictions(texts: TableText[]): [TableText, TableText][] {
  return [...groupBy(texts, ({ text }) => textKey(text)).values()].flatMap(([first, ...others]) => {
    const other = others.find(({ label }) => label !== first!.label);
    return other === undefined ? [] : [[first!, other] as [TableText, TableText]];
  });
}

export interface TableSplitOptions {
  devShare?: number;
  testShare?: number;
  seed?: number;
}

/**
 * Splits of which each has its share of each class: of a class with two different texts one is to train on and one to
 * test with, with three or more each split has one at least. Equal texts stay together. The same seed and texts give
 * the same splits.
 */
export function splitTable<T extends LabelledText>(texts: T[], options: TableSplitOptions = {}): Splits<T> {
  const { devShare = 0.1, testShare = 0.1, seed = 1 } = options;
  const parts: Splits<T> = { train: [], dev: [], test: [] };
  // A text with two labels belongs to the class it is met in first, so that it is on one side only.
  const groups = [...groupBy(texts, ({ text }) => textKey(text)).values()];
  for (const [i, group] of [...groupBy(groups, ([first]) => first!.label).values()].entries()) {
    shuffle(group, uniformStream(hash32(seed, i)));
    const test = group.length < 2 ? 0 : Math.max(1, Math.round(testShare * group.length));
    const dev = group.length < 3 ? 0 : Math.max(1, Math.round(devShare * group.length));
    parts.test.push(...group.slice(0, test).flat());
    parts.dev.push(...group.slice(test, test + dev).flat());
    parts.train.push(...group.slice(test + dev).flat());
  }
  for (const [i, part] of Object.values(parts).entries()) shuffle(part, uniformStream(hash32(seed, -1 - i)));
  return parts;
}

function groupBy<T, K>(items: T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const quote = (text: string) => JSON.stringify(text);

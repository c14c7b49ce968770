/** CSV text → records of fields, by csv-parse. Whose file it is and what has to be in it is the caller's. */
import { CsvError, parse } from "csv-parse/sync";

/** A record of a CSV file. */
export interface CsvRecord {
  fields: string[];
  /** Line of the file that it begins in, from 1. */
  line: number;
}

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

export interface CsvOptions {
  /** Between the fields of a record, one character; default: a comma. */
  delimiter?: string | undefined;
  /** The file is cut off somewhere: its last record is left out. */
  truncated?: boolean;
}

/**
 * All records, the header among them, with fields as they stand; lines with nothing in them are skipped. A quote in
 * the middle of a field is a character like any other, as in spreadsheets. Records may differ in their number of fields.
 * @throws Error naming the line in which a quote is opened and never closed
 */
export function parseCsv(text: string, options: CsvOptions = {}): CsvRecord[] {
  const { delimiter = ",", truncated = false } = options;
  const bytes = Buffer.from(text);
  const records: CsvRecord[] = [];
  const lines = lineCounter(bytes);
  // Where the record before ended: csv-parse's own line numbers count a CR LF inside quotes twice.
  let end = 0;
  try {
    parse(bytes, {
      bom: true,
      delimiter,
      record_delimiter: ["\r\n", "\n", "\r"],
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
      on_record: (fields: string[], context) => {
        records.push({ fields, line: lines(end) });
        end = context.bytes;
        return null;
      },
    });
  } catch (cause) {
    const unclosed = cause instanceof CsvError && cause.code === "CSV_QUOTE_NOT_CLOSED";
    if (unclosed && truncated) return records;
    const reason = unclosed ? "a quote is opened and never closed" : (cause as Error).message;
    throw new Error(`line ${lines(end)}: expected CSV, but ${reason}`, { cause });
  }
  return truncated ? records.slice(0, -1) : records;
}

/** Counts lines: the line of the first byte from an offset on that ends none. Offsets have to ascend. */
function lineCounter(bytes: Uint8Array): (offset: number) => number {
  let at = 0;
  let line = 1;
  const step = () => {
    if (bytes[at] === LINE_FEED || (bytes[at] === CARRIAGE_RETURN && bytes[at + 1] !== LINE_FEED)) line++;
    at++;
  };
  return (offset) => {
    while (at < offset) step();
    while (bytes[at] === LINE_FEED || bytes[at] === CARRIAGE_RETURN) step();
    return line;
  };
}

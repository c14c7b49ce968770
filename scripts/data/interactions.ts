/**
 * A shop's own table of who took what and when, CSV or JSON lines → histories: finds the columns, says what it took, and
 * refuses a row that it cannot read with the file and the line in the message.
 */
import { basename } from "node:path";
import { whyNoItemId } from "../../worker/model/items.ts";
import type { Sequences } from "./histories.ts";
import { parseRows, type RawTable, readTableFile } from "./table.ts";

export interface Interactions {
  /** File name, as errors call it. */
  name: string;
  sequences: Sequences;
  /** What a person should know: which columns were taken, and how time was read. One line each. */
  notes: string[];
}

export interface InteractionOptions {
  /** Column names; default: found by how such columns are called. */
  user?: string | undefined;
  item?: string | undefined;
  time?: string | undefined;
}

type Role = keyof InteractionOptions;

/** How such columns are called, likeliest first; what is compared has no case, spaces or signs. */
const NAMES: Record<Role, string[]> = {
  user: "user userid customer customerid client clientid member memberid visitor visitorid account buyer reviewer reviewerid session sessionid u uid".split(
    " ",
  ),
  item: "item itemid product productid asin parentasin sku article articleid movie movieid track trackid book bookid isbn video videoid business businessid i iid".split(
    " ",
  ),
  time: "time timestamp ts date datetime createdat created orderedat ordered purchasedat unixreviewtime eventtime t".split(
    " ",
  ),
};

/** With fewer users who have three items, neither training nor a test says anything. */
export const MIN_USERS = 20;

/**
 * Reads a file by its ending: .csv, .tsv or .txt, .jsonl or .ndjson.
 * @throws Error naming file and line: not UTF-8, no such column, a row without user, item or time, a time that is none, an
 *   id that cannot be one, too few users
 */
export async function readInteractions(path: string, options: InteractionOptions = {}): Promise<Interactions> {
  return parseInteractions(await readTableFile(path), basename(path), options);
}

/** As `readInteractions`, of the bytes of a file called `name`. */
export function parseInteractions(bytes: Uint8Array, name: string, options: InteractionOptions = {}): Interactions {
  const table = parseRows(bytes, name);
  const notes: string[] = [];
  const column = (role: Role) => findColumn(table, name, role, options[role], notes);
  const [user, item, time] = [column("user")!, column("item")!, column("time")];
  if (user === item) throw new Error(`${name}: expected two columns, got ${quote(user)} for both --user and --item`);
  const at = (column: string | undefined) => (column === undefined ? -1 : table.columns.indexOf(column));
  const [userAt, itemAt, timeAt] = [at(user), at(item), at(time)];
  const readTime = timeReader(name, time);
  const histories = new Map<string, { id: string; time: number }[]>();
  for (const { values, line } of table.rows) {
    const place = `${name}, line ${line}`;
    const owner = values[userAt]!.trim();
    if (owner === "") throw new Error(`${place}: expected a user in column ${quote(user)}, got none`);
    const id = values[itemAt]!.trim();
    const wrong = whyNoItemId(id);
    if (wrong !== undefined) throw new Error(`${place}, column ${quote(item)}: ${wrong}`);
    const when = timeAt < 0 ? 0 : readTime(values[timeAt]!.trim(), place);
    const history = histories.get(owner);
    if (history) history.push({ id, time: when });
    else histories.set(owner, [{ id, time: when }]);
  }
  // The sort is stable: what has the same time stays in the order of the rows.
  const sequences = [...histories.values()].map((history) =>
    history.sort((a, b) => a.time - b.time).map(({ id }) => id),
  );
  const usable = sequences.filter(({ length }) => length >= 3).length;
  if (usable < MIN_USERS) {
    throw new Error(`${name}: expected at least ${MIN_USERS} users with three items or more, got ${usable}`);
  }
  return { name, sequences, notes };
}

function findColumn(
  { columns, nested }: RawTable,
  name: string,
  role: Role,
  given: string | undefined,
  notes: string[],
): string | undefined {
  const listed = columns.map(quote).join(", ");
  if (given !== undefined) {
    if (!columns.includes(given)) {
      throw new Error(`${name}: expected a column ${quote(given)} (--${role}), got the columns ${listed}`);
    }
    if (nested.has(given)) {
      throw new Error(
        `${name}, line ${nested.get(given)}: expected text or a number as ${quote(given)}, got an object or a list`,
      );
    }
    return given;
  }
  const plain = columns.filter((column) => !nested.has(column));
  const keyOf = (column: string) => column.toLowerCase().replace(/[^a-z0-9]+/g, "");
  const found = NAMES[role]
    .map((wanted) => plain.find((column) => keyOf(column) === wanted))
    .find((c) => c !== undefined);
  if (found !== undefined) {
    notes.push(`${role}s from column ${quote(found)} (--${role} takes another)`);
    return found;
  }
  if (role === "time") {
    notes.push(`found no column of times; the rows count as in time order (--time names one out of ${listed})`);
    return undefined;
  }
  throw new Error(`${name}: found no column of ${role}s; name it with --${role} out of ${listed}`);
}

/** Numbers, or dates as JavaScript reads them, but not both in one file: who mixes them means two different clocks. */
function timeReader(name: string, column: string | undefined): (value: string, place: string) => number {
  let first: { isNumber: boolean; place: string } | undefined;
  return (value, place) => {
    const isNumber = value !== "" && Number.isFinite(Number(value));
    const time = isNumber ? Number(value) : Date.parse(value);
    if (!Number.isFinite(time)) {
      throw new Error(
        `${place}: expected a number or a date as 2026-11-30T12:00:00Z in column ${quote(column!)}, got ${quote(value)}`,
      );
    }
    first ??= { isNumber, place };
    if (first.isNumber !== isNumber) {
      const kind = first.isNumber ? "a number" : "a date";
      throw new Error(`${place}: expected ${kind} as in ${first.place.slice(name.length + 2)}, got ${quote(value)}`);
    }
    return time;
  };
}

const quote = (text: string) => JSON.stringify(text);

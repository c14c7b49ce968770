import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseTable, readTable, splitTable, type TableOptions } from "../../scripts/data/table.ts";

/** Rows that are valid on their own: 12 of each team, under a header of id, team and body. */
const ROWS = Array.from({ length: 24 }, (_, i) => [
  String(i + 1),
  i % 2 === 0 ? "billing" : "support",
  `What about number ${i}?`,
]);
const csv = (rows: string[][], delimiter = ",") =>
  [["id", "team", "body"], ...rows].map((row) => row.join(delimiter)).join("\n");
const parse = (text: string | Uint8Array, options?: TableOptions, name = "t.csv") =>
  parseTable(typeof text === "string" ? Buffer.from(text) : text, name, options);

describe("parseTable", () => {
  test("finds the columns and says which it took", () => {
    const { texts, textColumn, labelColumn, notes } = parse(csv(ROWS));
    expect([textColumn, labelColumn, texts.length]).toEqual(["body", "team", 24]);
    expect(texts[1]).toEqual({ text: "What about number 1?", label: "support", line: 3 });
    expect(notes).toEqual([
      'texts from column "body": the longest, 21 characters on average (--text takes another)',
      'labels from column "team": 2 different values (--label takes another)',
    ]);
  });

  test("takes the columns it is told, and then has nothing to say", () => {
    const rows = ROWS.map(([id, team, body], i) => [id!, team!, body!, i % 3 === 0 ? "low" : "high"].join(","));
    const text = ["id,team,body,priority", ...rows].join("\n");
    const { texts, notes } = parse(text, { text: "body", label: "priority" });
    expect(texts[0]!.label).toBe("low");
    expect(notes).toEqual([]);
    expect(parse(text, { label: "priority" }).textColumn).toBe("body");
    expect(parse(text, { text: "body" }).labelColumn).toBe("team");
  });

  test.each([
    [";", "\n", ""],
    ["\t", "\r\n", ""],
    [",", "\r\n", "\ufeff"],
  ])("delimiter %j, line end %j, mark %j", (delimiter, lineEnd, mark) => {
    const text = `${mark}${csv(ROWS, delimiter).replaceAll("\n", lineEnd)}`;
    expect(parse(text).texts).toEqual(parse(csv(ROWS)).texts);
  });

  test("quotes, line breaks and delimiters inside them", () => {
    const rows = ROWS.map(([id, team, body]) => [id!, team!, `"Hi, ""you""\n${body}"`]);
    const { texts } = parse(csv(rows));
    expect(texts[1]).toEqual({ text: 'Hi, "you"\nWhat about number 1?', label: "support", line: 4 });
  });

  test("a row without text is left out and named, blank lines are not rows", () => {
    const rows = ROWS.map((row, i) => (i === 4 || i === 6 ? [row[0]!, row[1]!, " "] : row));
    const { texts, notes } = parse(csv(rows).replace("\n3,", "\n\n3,"));
    expect(texts).toHaveLength(22);
    expect(notes).toContain('2 rows have no text in "body" and are left out, the first in line 7');
    // A record may stop before its last column.
    expect(parse(`${csv(ROWS)}\n25,billing`).notes).toContain(
      '1 row has no text in "body" and is left out, the first in line 26',
    );
  });

  test("a text with two labels is told", () => {
    const rows = [...ROWS, ["25", "support", "what about NUMBER 0"]];
    expect(parse(csv(rows)).notes).toContain(
      '1 text has more than one label, e.g. "billing" in line 2 and "support" in line 26',
    );
  });

  const json = (rows: unknown[]) => rows.map((row) => JSON.stringify(row)).join("\n");
  const OBJECTS = ROWS.map(([id, team, body]) => ({ id: Number(id), tags: [team], team, body }));

  test("JSON lines: numbers and booleans are labels, missing keys are missing values", () => {
    const objects = ROWS.map(([id, , body], i) => ({
      id: Number(id),
      body,
      urgent: i % 2 === 0,
      ...(i === 3 && { extra: "x" }),
    }));
    const { texts, labelColumn } = parse(`${json(objects)}\n\n`, {}, "t.jsonl");
    expect(labelColumn).toBe("urgent");
    expect(texts[1]).toEqual({ text: "What about number 1?", label: "false", line: 2 });
    // What is nested is no column, and does no harm.
    expect(parse(json(OBJECTS), {}, "t.ndjson").labelColumn).toBe("team");
  });

  const refused: [string, () => unknown, string][] = [
    [
      "no such column",
      () => parse(csv(ROWS), { label: "queue" }),
      't.csv: expected a column "queue" (--label), got the columns "id", "team", "body"',
    ],
    [
      "the same column twice",
      () => parse(csv(ROWS), { label: "body", text: "body" }),
      't.csv: expected two columns, got "body" for both --text and --label',
    ],
    [
      "an empty label",
      () => parse(csv(ROWS.with(3, ["4", " ", "x"]))),
      't.csv, line 5: expected a label in column "team", got none; fill it in or delete the row',
    ],
    [
      "one class",
      () => parse(csv(ROWS.map(([id, , body]) => [id!, "billing", body!])), { label: "team" }),
      't.csv: expected two or more classes in column "team", got only "billing"',
    ],
    [
      "a class with one row",
      () => parse(csv(ROWS.with(3, ["4", "sales", "x"]))),
      't.csv, line 5: expected two or more rows of each class, got one of "sales"; add rows, rename it or delete it',
    ],
    ["too few rows", () => parse(csv(ROWS.slice(0, 19))), "t.csv: expected at least 20 rows, got 19"],
    [
      "too few texts",
      () => parse(csv(ROWS.map((row, i) => (i > 18 ? [row[0]!, row[1]!, ""] : row)))),
      "t.csv: expected at least 20 rows with a text, got 19",
    ],
    [
      "no column of labels",
      () => parse(csv(ROWS.map(([id, , body]) => [id!, `t${id}`, body!]))),
      't.csv: found no column of labels beside "body", one with two or more values that repeat; name it with --label out of "id", "team", "body"',
    ],
    [
      "one column",
      () => parse(["body", ...ROWS.map(([, , body]) => body)].join("\n")),
      't.csv: expected a column of texts and one of labels, got only "body"',
    ],
    [
      "a header name twice",
      () => parse(csv(ROWS).replace("id,", "team,")),
      't.csv, line 1: expected different column names, got "team" twice',
    ],
    [
      "a field too many",
      () => parse(csv(ROWS.with(2, ["3", "billing", "a, b"]))),
      "t.csv, line 4: expected 3 fields as in the header, got 4; a field with the delimiter inside needs quotes",
    ],
    [
      "an open quote",
      () => parse(csv(ROWS.with(2, ["3", "billing", '"a']))),
      "t.csv, line 4: expected CSV, but a quote is opened and never closed",
    ],
    ["nothing", () => parse(""), "t.csv: expected a header line and rows, got an empty file"],
    [
      "another encoding",
      () => parse(Buffer.from(csv(ROWS.with(2, ["3", "billing", "Gr\u00fc\u00dfe"])), "latin1")),
      "t.csv, line 4: expected UTF-8, got the byte 0xfc, which may be Windows-1252; save it as UTF-8",
    ],
    [
      "a JSON line that is no object",
      () => parse(`${json(OBJECTS)}\n[1]`, {}, "t.jsonl"),
      't.jsonl, line 25: expected a JSON object, got "[1]"',
    ],
    [
      "a line that is no JSON",
      () => parse(`${json(OBJECTS)}\n{"body":`, {}, "t.jsonl"),
      't.jsonl, line 25: expected a JSON object, got "{\\"body\\":"',
    ],
    [
      "a nested label",
      () => parse(json(OBJECTS), { label: "tags" }, "t.jsonl"),
      't.jsonl, line 1: expected text as "tags", got an object or a list',
    ],
  ];
  test.each(refused)("refuses %s", (_, run, message) => {
    expect(run).toThrow(new Error(message));
  });

  test("reads a file, and says when there is none", async () => {
    const folder = await mkdtemp(join(tmpdir(), "edge-slm-table-"));
    try {
      const path = join(folder, "tickets.csv");
      await writeFile(path, csv(ROWS));
      expect((await readTable(path)).name).toBe("tickets.csv");
      await expect(readTable(join(folder, "none.csv"))).rejects.toThrow(/^readTable: cannot read .*none\.csv: ENOENT/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("splitTable", () => {
  const texts = Array.from({ length: 200 }, (_, i) => ({
    text: `text ${i}`,
    label: i < 150 ? "a" : i < 195 ? "b" : i < 198 ? "c" : "d",
  }));

  test("gives each split its share of each class", () => {
    const { train, dev, test } = splitTable(texts);
    const counts = (items: { label: string }[]) =>
      ["a", "b", "c", "d"].map((label) => items.filter((item) => item.label === label).length);
    expect([counts(train), counts(dev), counts(test)]).toEqual([
      [120, 35, 1, 1],
      [15, 5, 1, 0],
      [15, 5, 1, 1],
    ]);
  });

  test("follows from the seed alone", () => {
    expect(splitTable(texts, { seed: 3 })).toEqual(splitTable(texts, { seed: 3 }));
    expect(splitTable(texts, { seed: 3 })).not.toEqual(splitTable(texts, { seed: 4 }));
  });

  test("loses nothing and keeps equal texts together", () => {
    const item = fc.record({
      text: fc.constantFrom("a", "A!", "b", "c", "d", "e", "f"),
      label: fc.constantFrom("x", "y"),
    });
    fc.assert(
      fc.property(fc.array(item, { maxLength: 40 }), fc.nat(100), (items, seed) => {
        const { train, dev, test } = splitTable(items, { seed });
        expect(train.length + dev.length + test.length).toBe(items.length);
        const keys = [train, dev, test].map((part) => new Set(part.map(({ text }) => text.toLowerCase()[0])));
        for (const key of keys[0]!) expect(keys[1]!.has(key) || keys[2]!.has(key)).toBe(false);
        for (const key of keys[1]!) expect(keys[2]!.has(key)).toBe(false);
      }),
    );
  });
});

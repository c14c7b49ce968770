import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseCsv } from "../../scripts/data/csv.ts";
import { decodeUtf8 } from "../../scripts/data/utf8.ts";
import { unzip } from "../../scripts/data/zip.ts";

describe("parseCsv", () => {
  test.each([
    [
      "line breaks inside quotes and blank lines",
      'a,b\n1,"x\ny"\n\n\n2,z',
      [
        ["a,b", 1],
        ["1,x\ny", 2],
        ["2,z", 6],
      ],
    ],
    [
      "CR LF",
      'a,b\r\n1,"x\r\ny"\r\n\r\n2,z\r\n',
      [
        ["a,b", 1],
        ["1,x\r\ny", 2],
        ["2,z", 5],
      ],
    ],
    [
      "CR alone",
      "a,b\r1,2\r3,4",
      [
        ["a,b", 1],
        ["1,2", 2],
        ["3,4", 3],
      ],
    ],
    [
      "a byte order mark",
      "\ufeffa,b\n1,2",
      [
        ["a,b", 1],
        ["1,2", 2],
      ],
    ],
    [
      "quotes doubled inside quotes, and in the middle of a field",
      'a\n"say ""hi"""\n5" screen',
      [
        ["a", 1],
        ['say "hi"', 2],
        ['5" screen', 3],
      ],
    ],
    [
      "missing fields",
      "a,b,c\n,,\n1\n",
      [
        ["a,b,c", 1],
        [",,", 2],
        ["1", 3],
      ],
    ],
    ["nothing", "", []],
  ])("%s", (_, text, expected) => {
    expect(parseCsv(text).map(({ fields, line }) => [fields.join(","), line])).toEqual(expected);
  });

  test("other delimiters", () => {
    expect(parseCsv("a;b\n1,5;2", { delimiter: ";" })[1]!.fields).toEqual(["1,5", "2"]);
    expect(parseCsv("a\tb\n1\t2", { delimiter: "\t" })[1]!.fields).toEqual(["1", "2"]);
  });

  test("a quote that is never closed is an error at the line it opens in", () => {
    expect(() => parseCsv('a,b\n1,"x\ny"\n2,"z\n3,4\n')).toThrow(
      "line 4: expected CSV, but a quote is opened and never closed",
    );
  });

  test("of a file that is cut off the last record is left out", () => {
    expect(parseCsv('a,b\n1,2\n3,"4', { truncated: true })).toHaveLength(2);
    expect(parseCsv("a,b\n1,2\n3,", { truncated: true })).toHaveLength(2);
  });

  test("what is quoted comes back as it was, with the line it began in", () => {
    const field = fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", "\r\n", "ß", "中") });
    fc.assert(
      fc.property(fc.array(fc.array(field, { minLength: 2, maxLength: 2 }), { minLength: 1, maxLength: 8 }), (rows) => {
        const lines: number[] = [];
        let text = "";
        for (const row of rows) {
          lines.push(text.split(/\r\n|\n/).length);
          text += `${row.map((value) => `"${value.replaceAll('"', '""')}"`).join(",")}\r\n`;
        }
        expect(parseCsv(text)).toEqual(rows.map((fields, i) => ({ fields, line: lines[i] })));
      }),
    );
  });
});

describe("decodeUtf8", () => {
  test("a byte order mark is no text", () => {
    expect(decodeUtf8(Buffer.from("\ufeffä"), "x")).toBe("ä");
  });

  test.each([
    [
      "Windows-1252",
      Buffer.concat([Buffer.from("ok \ufffd\nää\n"), Buffer.from([0x67, 0x72, 0xfc, 0x6e])]),
      "x.csv, line 3: expected UTF-8, got the byte 0xfc, which may be Windows-1252; save it as UTF-8",
    ],
    [
      "a character cut short",
      Buffer.from([0x61, 0x0a, 0xe4, 0xb8]),
      "x.csv, line 2: expected UTF-8, got the byte 0xe4",
    ],
    [
      "UTF-16",
      Buffer.from("\ufeffa", "utf16le"),
      "x.csv: expected UTF-8, got UTF-16 by its byte order mark; save it as UTF-8",
    ],
  ])("%s is named with its line", (_, bytes, message) => {
    expect(() => decodeUtf8(bytes, "x.csv")).toThrow(message);
  });
});

/** An archive as APPNOTE has it: local headers with data, the directory, and the record at the end. */
function zip(files: { path: string; content: string; deflate: boolean; method?: number }[]): Buffer {
  const local: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { path, content, deflate, method = deflate ? 8 : 0 } of files) {
    const data = deflate ? deflateRawSync(content) : Buffer.from(content);
    const name = Buffer.from(path);
    const sizes = Buffer.alloc(12);
    sizes.writeUInt32LE(data.length, 4);
    sizes.writeUInt32LE(Buffer.byteLength(content), 8);
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50);
    header.writeUInt16LE(method, 8);
    sizes.copy(header, 14);
    header.writeUInt16LE(name.length, 26);
    header.writeUInt16LE(3, 28);
    local.push(header, name, Buffer.from("ext"), data);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50);
    entry.writeUInt16LE(method, 10);
    sizes.copy(entry, 16);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(offset, 42);
    directory.push(entry, name);
    offset += 33 + name.length + data.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...local, ...directory, end]);
}

describe("unzip", () => {
  test("stored and deflated files come out, folders don't", () => {
    const archive = zip([
      { path: "a/", content: "", deflate: false },
      { path: "a/ä.txt", content: "stored", deflate: false },
      { path: "b.txt", content: "deflated ".repeat(50), deflate: true },
    ]);
    const files = [...unzip(archive, "x.zip")].map(([path, bytes]) => [path, Buffer.from(bytes).toString()]);
    expect(files).toEqual([
      ["a/ä.txt", "stored"],
      ["b.txt", "deflated ".repeat(50)],
    ]);
  });

  test("what is no archive, or one of another kind, is named", () => {
    expect(() => unzip(Buffer.from("<html>404</html>, not an archive"), "x.zip")).toThrow(
      "x.zip: expected a ZIP archive, got 32 bytes (no end of a directory)",
    );
    const archive = zip([{ path: "a.txt", content: "x", deflate: false, method: 12 }]);
    expect(() => unzip(archive, "x.zip")).toThrow("a.txt is compressed by method 12, expected 0 or 8");
  });
});

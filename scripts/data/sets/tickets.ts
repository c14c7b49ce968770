/**
 * Customer support tickets with queue, priority and type ("multilingual customer support tickets" by T. Bueck), the
 * English ones. The texts are a language model's. The public copy is cut off (2 MB a file), and there is no official
 * split: a fifth, chosen by a hash of the body, is the test.
 */
import { createHash } from "node:crypto";
import { type ClassificationSet, joinTitle, type LabelledText, withCarvedDev } from "../classification.ts";
import { parseCsv } from "../csv.ts";
import { gitHubFile, gitHubFolder } from "../public.ts";
import { type Row, type RowFile, readRows, type SourceOptions } from "../rows.ts";

const REPOSITORY = "kishorekumar1111/Ticket-Hackthon";
const COMMIT = "fd8a959285a24a6611b36fdc16e7b22ecb0f2a1b";
const PUBLIC_FILES = [
  "dataset-tickets-multi-lang-4-20k",
  "aa_dataset-tickets-multi-lang-5-2-50-version",
  "dataset-tickets-multi-lang3-4k",
];
const COLUMNS = ["language", "queue", "priority", "type", "subject", "body"];
/** Of a ticket and what was answered. */
const ANSWER_COLUMNS = ["language", "subject", "answer", "body"];

const file = (split: string, sha256: string, columns = COLUMNS): RowFile => ({
  mirrorFile: `cls_tickets_multilang/${split}.jsonl.gz`,
  keys: ["lang", ...columns.slice(1)],
  fields: columns.length,
  sha256,
  source: PUBLIC_FILES.map((name) => ({
    url: gitHubFile(REPOSITORY, COMMIT, `data/${name}.csv`),
    read: (bytes) => readCut(bytes, columns).filter((row) => isTest(row.at(-1)!) === (split === "test")),
  })),
});
const TRAIN = file("train", "121973b7d8015390e92104a974973f90c5a7f30a9639f549769f20fdc9b1ce2d");
const TEST = file("test", "27a21f2e90748b376e2bc5c41221607c96ce7de699a830d0220fbf33fc7b7870");

const ANSWERS = file("train", "9bfb8b21af4468694f1a87e6e12c2ec52bff3cdb57d73e060fb1b79a6872c075", ANSWER_COLUMNS);

function readCut(bytes: Uint8Array, names: string[]): Row[] {
  const [header, ...records] = parseCsv(new TextDecoder().decode(bytes), { truncated: true });
  const columns = names.map((column) => header!.fields.indexOf(column));
  return records.map(({ fields }) => columns.map((column) => (fields[column] ?? "").replaceAll("\\n", "\n")));
}

/** The English tickets to train on, each with what was answered. @throws Error as of `readRows` */
export async function loadTicketAnswers(options?: SourceOptions): Promise<{ ticket: string; answer: string }[]> {
  const rows = await readRows("tickets", ANSWERS, options);
  return rows
    .filter(([language, , answer, body]) => language === "en" && answer !== "" && body !== "")
    .map(([, subject, answer, body]) => ({ ticket: joinTitle(subject!, body!), answer: answer! }));
}

/** md5 of the body, modulo 10, below 2. */
function isTest(body: string): boolean {
  return BigInt(`0x${createHash("md5").update(body).digest("hex")}`) % 10n < 2n;
}

function taskOf(label: "queue" | "priority" | "type"): ClassificationSet {
  return {
    id: `tickets-${label}`,
    language: "en",
    splits: "English rows; a fifth for test by a hash of the body; a tenth of the rest carved for dev",
    card: {
      name: `Multilingual customer support tickets (English, ${label})`,
      url: gitHubFolder(REPOSITORY, COMMIT, "data"),
      licence: "CC BY-NC 4.0",
    },
    async load(options) {
      const read = async (split: RowFile): Promise<LabelledText[]> =>
        (await readRows("tickets", split, options))
          .filter(([language]) => language === "en")
          .map((row) => ({ text: joinTitle(row[4]!, row[5]!), label: row[COLUMNS.indexOf(label)]! }));
      return withCarvedDev({ train: await read(TRAIN), test: await read(TEST) });
    },
  };
}

export const ticketsQueue = taskOf("queue");
export const ticketsPriority = taskOf("priority");
export const ticketsType = taskOf("type");

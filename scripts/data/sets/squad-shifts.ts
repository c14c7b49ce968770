/**
 * SQuAD-shifts (Miller et al. 2020, arXiv:2004.14444): new Wikipedia paragraphs and Amazon reviews with questions in the
 * form of SQuAD 1.1. They were published as test sets for models that know SQuAD; here half of each file's paragraphs
 * are held out as a test, and the other half is trained on.
 */
import { textKey } from "../classification.ts";
import { decodeText, gitHubFile, gitHubFolder } from "../public.ts";
import type { Paragraph, QuestionSet } from "../question-answering.ts";
import { type RowFile, readRows } from "../rows.ts";

const REPOSITORY = "modestyachts/squadshifts-website";
const COMMIT = "b7cc4d50af791c36c49417fb94dd739d6a9e7bef";
const FOLDER = gitHubFolder(REPOSITORY, COMMIT, "datasets");

const file = (name: string, sha256: string): RowFile => ({
  mirrorFile: `qa_squadshifts/${name}.jsonl.gz`,
  fields: 1,
  sha256,
  source: [
    {
      url: gitHubFile(REPOSITORY, COMMIT, `datasets/${name}_v1.0.json`),
      read: (bytes) =>
        (JSON.parse(decodeText(bytes)) as SquadFile).data.flatMap(({ title, paragraphs }) =>
          paragraphs.map(({ context, qas }) => [spacedJson({ title, context, qas: qas.map(withoutRepeats) })]),
        ),
    },
  ],
});

/** What is read of a file in the form of SQuAD 1.1. */
interface SquadFile {
  data: { title: string; paragraphs: { context: string; qas: SquadQuestion[] }[] }[];
}
interface SquadQuestion {
  id: string;
  question: string;
  answers: { text: string; answer_start: number }[];
}

/** Of equal answers the first. */
function withoutRepeats({ id, question, answers }: SquadQuestion) {
  const first = answers.filter(({ text }, i) => answers.findIndex((other) => other.text === text) === i);
  return { id, question, answers: first.map(({ text }) => text), starts: first.map(({ answer_start: at }) => at) };
}

/** JSON with a space behind each comma and colon, as Python and so the mirror writes it. */
function spacedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spacedJson).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}: ${spacedJson(member)}`);
  return `{${members.join(", ")}}`;
}

/** Of the even paragraphs of a file, every so manyth is kept to choose with. */
const DEV_EVERY = 10;

interface Line {
  title: string;
  context: string;
  qas: { question: string; answers: string[]; starts: number[] }[];
}

const set = (id: string, name: string, rows: RowFile): QuestionSet => ({
  id,
  splits: "the odd paragraphs are test, every tenth of the even ones dev",
  card: { name: `SQuAD-shifts, ${name}`, url: FOLDER, licence: "CC BY 4.0" },
  async load(options) {
    const splits: Record<"train" | "dev" | "test", Paragraph[]> = { train: [], dev: [], test: [] };
    for (const [index, [line]] of (await readRows("squad-shifts", rows, options)).entries()) {
      const split = index % 2 === 1 ? "test" : (index / 2) % DEV_EVERY === 0 ? "dev" : "train";
      splits[split].push(readParagraph(JSON.parse(line!)));
    }
    const held = new Set([...splits.dev, ...splits.test].map(({ context }) => textKey(context)));
    return { ...splits, train: splits.train.filter(({ context }) => !held.has(textKey(context))) };
  },
});

export const newWiki = set(
  "new-wiki",
  "new Wikipedia",
  file("new_wiki", "cdd4e3a8e464d027144c737f149c9d40ce491cc47642c4574f81d3591d7f2f64"),
);
export const amazonReviews = set(
  "amazon-reviews",
  "Amazon reviews",
  file("amazon_reviews", "845cfa939f40968d515b0679d128ce4c1f932f51b9bb498c1aa56c0332873b49"),
);

function readParagraph({ title, context, qas }: Line): Paragraph {
  return {
    title,
    context,
    questions: qas.map(({ question, answers, starts }) => ({
      question,
      answers: starts.map((codePoint, i) => {
        const start = unitsOf(context, codePoint);
        return { start, end: start + answers[i]!.length };
      }),
    })),
  };
}

/** The file counts code points, as Python does. */
function unitsOf(text: string, codePoints: number): number {
  let units = 0;
  for (let i = 0; i < codePoints; i++) units += text.codePointAt(units)! > 0xffff ? 2 : 1;
  return units;
}

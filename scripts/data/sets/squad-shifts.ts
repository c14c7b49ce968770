/**
 * SQuAD-shifts (Miller et al. 2020, arXiv:2004.14444): new Wikipedia paragraphs and Amazon reviews with questions in the
 * form of SQuAD 1.1. They were published as test sets for models that know SQuAD; here half of each file's paragraphs
 * are held out as a test, and the other half is trained on.
 */
import { textKey } from "../classification.ts";
import { gitHubFolder } from "../public.ts";
import type { Paragraph, QuestionSet } from "../question-answering.ts";
import { type RowFile, readRows, type SourceOptions } from "../rows.ts";

const REPOSITORY = "modestyachts/squadshifts-website";
const COMMIT = "b7cc4d50af791c36c49417fb94dd739d6a9e7bef";
const FOLDER = gitHubFolder(REPOSITORY, COMMIT, "datasets");

const file = (name: string, sha256: string): RowFile => ({
  mirrorFile: `qa_squadshifts/${name}.jsonl.gz`,
  fields: 1,
  sha256,
  source: `${name} of ${FOLDER}, a paragraph a line as { title, context, qas: [{ id, question, answers, starts }] }`,
});
const FILES = [
  file("new_wiki", "cdd4e3a8e464d027144c737f149c9d40ce491cc47642c4574f81d3591d7f2f64"),
  file("amazon_reviews", "845cfa939f40968d515b0679d128ce4c1f932f51b9bb498c1aa56c0332873b49"),
];

/** Of the even paragraphs of a file, every so manyth is kept to choose with. */
const DEV_EVERY = 10;

interface Line {
  title: string;
  context: string;
  qas: { question: string; answers: string[]; starts: number[] }[];
}

export const squadShifts: QuestionSet = {
  id: "squad-shifts",
  splits: "the odd paragraphs of each file are test, every tenth of the even ones dev",
  card: { name: "SQuAD-shifts (new Wikipedia, Amazon)", url: FOLDER, licence: "CC BY 4.0" },
  async load(options?: SourceOptions) {
    const splits: Record<"train" | "dev" | "test", Paragraph[]> = { train: [], dev: [], test: [] };
    for (const one of FILES) {
      const rows = await readRows("squad-shifts", one, options);
      rows.forEach(([line], index) => {
        const split = index % 2 === 1 ? "test" : (index / 2) % DEV_EVERY === 0 ? "dev" : "train";
        splits[split].push(readParagraph(JSON.parse(line!)));
      });
    }
    const held = new Set([...splits.dev, ...splits.test].map(({ context }) => textKey(context)));
    return { ...splits, train: splits.train.filter(({ context }) => !held.has(textKey(context))) };
  },
};

function readParagraph({ title, context, qas }: Line): Paragraph {
  return {
    title,
    context,
    questions: qas.map(({ question, answers, starts }) => ({
      question,
      answers: starts.map((start, i) => ({
        start: codePoints(context, start),
        end: codePoints(context, start) + answers[i]!.length,
      })),
    })),
  };
}

/** The file counts code points, as Python does. */
function codePoints(text: string, count: number): number {
  let units = 0;
  for (let i = 0; i < count; i++) units += text.codePointAt(units)! > 0xffff ? 2 : 1;
  return units;
}

/**
 * QAMR (Michael et al. 2018, arXiv:1711.05885): sentences of Wikipedia and Wikinews, and questions about what stands in
 * what relation in them. Its published dev split; all of it is trained on.
 */
import { gitHubFolder } from "../public.ts";
import type { Paragraph, QuestionSet } from "../question-answering.ts";
import { type RowFile, readRows } from "../rows.ts";

const FOLDER = gitHubFolder("uwnlp/qamr", "956b0eb2d5857f4aafa1af257ba06fa6cb683b99", "data");

const DEV: RowFile = {
  mirrorFile: "qa_qamr/dev.jsonl.gz",
  fields: 1,
  sha256: "4470fa1277db3ea1584a762ccbd89a9895ca499fa24c283d0aa5c25b516945cf",
  source: `the filtered dev split of ${FOLDER}, detokenized, a question a line as { id, context, question, answers }`,
};

interface Line {
  context: string;
  question: string;
  answers: string[];
}

export const qamr: QuestionSet = {
  id: "qamr",
  splits: "the published dev split, all to train on",
  card: { name: "QAMR (dev)", url: FOLDER, licence: "MIT, the sentences CC BY-SA" },
  async load(options) {
    const paragraphs = new Map<string, Paragraph>();
    for (const [line] of await readRows("qamr", DEV, options)) {
      const { context, question, answers } = JSON.parse(line!) as Line;
      const paragraph = paragraphs.get(context) ?? { title: context, context, questions: [] };
      paragraphs.set(context, paragraph);
      const spans = answers.flatMap((answer) => {
        const start = context.indexOf(answer);
        return start < 0 ? [] : [{ start, end: start + answer.length }];
      });
      // A few answers are no part of the sentence.
      if (spans.length > 0) paragraph.questions.push({ question, answers: spans });
    }
    return { train: [...paragraphs.values()], dev: [], test: [] };
  },
};

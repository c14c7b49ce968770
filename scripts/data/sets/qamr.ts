/** QAMR: questions and the sentence of Wikipedia or Wikinews that answers them (Michael et al. 2018, arXiv:1711.05885). */
import { gitHubFolder } from "../public.ts";
import { type RowFile, readRows, type SourceOptions } from "../rows.ts";

const REPOSITORY = "uwnlp/qamr";
const COMMIT = "956b0eb2d5857f4aafa1af257ba06fa6cb683b99";

const DEV: RowFile = {
  mirrorFile: "qa_qamr/dev.jsonl.gz",
  keys: ["context", "question"],
  fields: 2,
  sha256: "8419bf0266e524566cb627ae3e37b8c2cd1fbdd850b66ea65c8521e65bbe8bf1",
  source: `its sentences are a file of their own, in tokens (${gitHubFolder(REPOSITORY, COMMIT)})`,
};

export const QAMR_CARD = { name: "QAMR (dev)", licence: "MIT; sentences CC BY-SA" };

/** @throws Error as of `readRows` */
export async function loadQamr(options?: SourceOptions): Promise<{ question: string; sentence: string }[]> {
  return (await readRows("qamr", DEV, options)).map(([sentence, question]) => ({
    sentence: sentence!,
    question: question!,
  }));
}

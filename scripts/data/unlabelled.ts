/** Texts for teachers to label: those of a classification set without their labels, or the questions of readers' sets. */
import type { SourceOptions } from "./rows.ts";
import { findClassificationSet } from "./sets/index.ts";
import { qamr } from "./sets/qamr.ts";
import { amazonReviews, newWiki } from "./sets/squad-shifts.ts";

/** The id of the questions. */
export const QUESTIONS = "questions";

export interface UnlabelledTexts {
  language: "en" | "zh";
  texts: string[];
}

/**
 * Nothing of a test split.
 * @param id of a classification set, or "questions"
 * @throws Error naming the classification sets there are, or as of `readRows`
 */
export async function loadUnlabelled(id: string, options?: SourceOptions): Promise<UnlabelledTexts> {
  if (id === QUESTIONS) {
    const sets = await Promise.all([newWiki, amazonReviews, qamr].map((set) => set.load(options)));
    const paragraphs = sets.flatMap(({ train, dev }) => [...train, ...dev]);
    return { language: "en", texts: paragraphs.flatMap(({ questions }) => questions.map(({ question }) => question)) };
  }
  const set = findClassificationSet(id);
  return { language: set.language, texts: (await set.load(options)).train.map(({ text }) => text) };
}

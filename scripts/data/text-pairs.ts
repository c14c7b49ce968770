/**
 * Texts that mean the same or belong together, in groups: what embeddings are trained on. Of questions with one intent
 * any two are a pair; a question and the text that answers it are one.
 */
import type { ClassificationSet } from "./classification.ts";
import type { QuestionSet } from "./question-answering.ts";
import type { SourceOptions } from "./rows.ts";
import { qamr } from "./sets/qamr.ts";
import { amazonReviews, newWiki } from "./sets/squad-shifts.ts";
import { loadTicketAnswers, ticketsQueue } from "./sets/tickets.ts";

/** Texts of which any two are a pair, or the pairs themselves; those of one group are not held against each other. */
export type TextGroup = { alike: string[] } | { pairs: [first: string, second: string][] };

export interface PairSource {
  id: string;
  /** For the model card. */
  card: { name: string; licence: string };
  /** Texts to train on alone: nothing of a test split. @throws Error as of `readRows` */
  load(options?: SourceOptions): Promise<TextGroup[]>;
}

/** Questions of one class are alike; those that are out of scope are like nothing. */
export function sameIntent(set: ClassificationSet): PairSource {
  return {
    id: set.id,
    card: set.card,
    async load(options) {
      const { train } = await set.load(options);
      const byLabel = Map.groupBy(
        train.filter(({ label }) => label !== null),
        ({ label }) => label,
      );
      return [...byLabel.values()].map((texts) => ({ alike: texts.map(({ text }) => text) }));
    },
  };
}

/** Questions and the parts of their paragraphs around the answers; what is held out as a test is left alone. */
function answered(id: string, name: string, ...sets: [QuestionSet, ...QuestionSet[]]): PairSource {
  return {
    id,
    card: { name, licence: sets[0].card.licence },
    async load(options) {
      const splits = await Promise.all(sets.map((set) => set.load(options)));
      return splits
        .flatMap(({ train, dev }) => [...train, ...dev])
        .map(({ context, questions }) => ({
          pairs: questions.map(({ question, answers }) => [question, windowAround(context, answers[0]?.start ?? 0)]),
        }));
    },
  };
}

export const paragraphQuestions = answered(
  "squad-shifts",
  "SQuAD-shifts (new Wikipedia, Amazon; half of the paragraphs)",
  newWiki,
  amazonReviews,
);
export const sentenceQuestions = answered("qamr", qamr.card.name, qamr);

export const ticketAnswers: PairSource = {
  id: "tickets",
  card: { ...ticketsQueue.card, name: "Multilingual customer support tickets (English, with answers)" },
  async load(options) {
    return (await loadTicketAnswers(options)).map(({ ticket, answer }) => ({ pairs: [[ticket, answer]] }));
  },
};

/** Words of a part of a paragraph: about what one passage of a document has. */
const WINDOW_WORDS = 70;

/** The part of a paragraph around an answer: a third of it before, the rest from there on. */
function windowAround(text: string, start: number): string {
  const words = text.split(" ");
  if (words.length <= WINDOW_WORDS) return text;
  const before = text.slice(0, start).split(" ").length - 1;
  const from = Math.max(0, Math.min(before - Math.floor(WINDOW_WORDS / 3), words.length - WINDOW_WORDS));
  return words.slice(from, from + WINDOW_WORDS).join(" ");
}

/** What every payment scheme does for a request: reserve before the work, then settle or release. */
import type { Task } from "../model/config.ts";

/** What is to be paid for. */
export interface Work {
  task: Task;
  model: string;
  /** UTF-16 units of all its texts. */
  characters: number;
  /** What the whole of it costs, in micro-units. */
  amount: number;
}

/** A response as it is kept for whoever repeats the request. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** How the work ended. */
export interface Outcome {
  /** Micro-units for what the caller got: the whole amount, or less if it left in the middle of a stream. */
  due: number;
  /** For how many characters of the source. */
  characters: number;
  /** The whole answer; none if the caller left in the middle of it. */
  answer?: Answer;
}

export interface Charge {
  readonly scheme: "prepaid" | "x402" | "free" | "open";
  /** Whether the answer is kept for a repeated request. */
  readonly keepsAnswer: boolean;
  /** Whether a stream is settled at its first token, because its price is told in a header. `finish` ends it then. */
  readonly settlesAtFirstToken: boolean;
  /** What every response says, once credit is reserved: how much of a limit is left. */
  readonly headers: Record<string, string>;
  /**
   * Before any work.
   * @returns the answer, if this very request was answered and paid before
   * @throws Problem if it cannot be paid
   */
  reserve(work: Work): Promise<Answer | undefined>;
  /**
   * @returns what the caller is told of it, as headers; of a stream, whose headers are gone by then, as an event
   * @throws Problem if the answer must be withheld
   */
  settle(outcome: Outcome): Promise<Record<string, string>>;
  /** After a settled stream. @param answer if it was sent whole */
  finish(answer: Answer | undefined): Promise<void>;
  /** Nothing is paid. */
  release(): Promise<void>;
  /** The caller left after `settle` and before the answer was on its way. */
  reverse(): Promise<void>;
  /** A stream is alive. */
  extend(): Promise<void>;
}

/** Nothing is asked for. */
export const openCharge: Charge = {
  scheme: "open",
  keepsAnswer: false,
  settlesAtFirstToken: false,
  headers: {},
  reserve: async () => undefined,
  settle: async () => ({}),
  finish: async () => {},
  release: async () => {},
  reverse: async () => {},
  extend: async () => {},
};

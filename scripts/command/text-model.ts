/** What the command line asks of a model, whatever it does with texts. */

/** Of one text: what to print, as text and as JSON; or why there is nothing. */
export type Result = { line: string; json: Record<string, unknown> } | Error;

export interface TextModel {
  /** @returns a result for each text, in order */
  answer(texts: string[]): Promise<Result[]>;
}

export function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** What a client is told of a text in an alphabet that no model here reads. */
import { Problem } from "../errors.ts";

/** Characters of it that are shown. */
const SHOWN = 40;

/**
 * @param place where the text stands in the request, with what separates it from the sentence: "text 3: ", or nothing
 * @param scripts that are read
 * @param index of the text among several, for programs
 * @param because why these are expected, behind a comma
 */
export function otherScript(
  place: string,
  text: string,
  scripts: readonly string[],
  { index, because }: { index?: number; because?: string } = {},
): Problem {
  const expected = `${scripts.join(" or ")} letters${because ? `, ${because}` : ""}`;
  const start = JSON.stringify(text.trim().slice(0, SHOWN).toWellFormed());
  return new Problem("unsupported_language", `${place}expected ${expected}; most of ${start} are of another script`, {
    extensions: { ...(index !== undefined && { text: index }), scripts },
  });
}

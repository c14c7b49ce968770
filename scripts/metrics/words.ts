/**
 * How sacreBLEU cuts sentences into words: white space as Python's `str.split()` sees it, and the tokenizer "13a"
 * of NIST's mteval-v13a, which WMT scores with. Written from the rules; no tokenizer for Chinese or Japanese here.
 */

/** Python's white space. JavaScript's `\s` also takes U+FEFF and leaves out U+001C…U+001F and U+0085. */
const WHITE_SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SPACES = new RegExp(`[${WHITE_SPACE}]+`, "gu");
const SPACES_AT_END = new RegExp(`[${WHITE_SPACE}]+$`, "u");

/** The words between white space. */
export function splitWords(text: string): string[] {
  return text.split(SPACES).filter((word) => word !== "");
}

/** Without white space at all, as chrF reads a sentence. */
export function removeSpaces(text: string): string {
  return text.replace(SPACES, "");
}

/** Without white space at the end. */
export function trimEnd(text: string): string {
  return text.replace(SPACES_AT_END, "");
}

const ENTITIES: [string, string][] = [
  ["&quot;", '"'],
  ["&amp;", "&"],
  ["&lt;", "<"],
  ["&gt;", ">"],
];

/** The rules of mteval-v13a in their order; each sees what the one before left. */
const RULES: [RegExp, string][] = [
  // ASCII punctuation and symbols stand alone, but for apostrophe, hyphen, full stop and comma.
  [/([ !"#$%&()*+/:;<=>?@[\\\]^_`{|}~])/g, " $1 "],
  // Full stop and comma stand alone unless a digit is before them …
  [/([^0-9])([.,])/gu, "$1 $2 "],
  // … and unless a digit is behind them.
  [/([.,])([^0-9])/gu, " $1 $2"],
  // A hyphen stands alone behind a digit.
  [/([0-9])(-)/g, "$1 $2 "],
];

/** The words of a line by the tokenizer "13a". */
export function tokenize13a(line: string): string[] {
  let text = line.replaceAll("<skipped>", "").replaceAll("-\n", "").replaceAll("\n", " ");
  for (const [entity, character] of ENTITIES) text = text.replaceAll(entity, character);
  text = ` ${text} `;
  for (const [pattern, replacement] of RULES) text = text.replace(pattern, replacement);
  return splitWords(text);
}

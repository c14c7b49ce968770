/**
 * Makes a caller's text fit for a tokenizer without touching what a reader sees, and tells whether its letters are
 * in a script that the model was trained on. No language identification: French sent as English is translated badly
 * (and scores low), only another alphabet is refused.
 */

/**
 * Characters that carry no text: C0 and C1 controls but tab and line breaks, soft hyphen, zero-width space, byte
 * order mark, directional marks. Joiners (U+200C, U+200D) stay, emoji are made with them.
 */
const INVISIBLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the point
  /[\u0000-\u0008\u000E-\u001F\u007F-\u0084\u0086-\u009F\u00AD\u200B\u200E\u200F\u202A-\u202E\u2060\u2066-\u2069\uFEFF\uFFFE\uFFFF]/g;

/** The text in Unicode NFC, without invisible characters; half a surrogate pair becomes U+FFFD. */
export function cleanText(text: string): string {
  return text.toWellFormed().replace(INVISIBLE, "").normalize("NFC");
}

const LETTER = /\p{L}/gu;

export function hasLetters(text: string): boolean {
  return /\p{L}/u.test(text);
}

/**
 * A test for text whose letters are mostly (at least half) in the given scripts, or in none (as `µ`).
 * @param scripts Unicode script names
 * @throws Error if a name is no script
 */
export function scriptTest(scripts: string[]): (text: string) => boolean {
  let known: RegExp;
  try {
    known = new RegExp(`[${["Common", ...scripts].map((script) => `\\p{Script=${script}}`).join("")}]`, "u");
  } catch (cause) {
    throw new Error(`source_scripts: expected Unicode script names, got ${scripts.join(", ")}`, { cause });
  }
  return (text) => {
    const letters = text.match(LETTER) ?? [];
    let knownLetters = 0;
    for (const letter of letters) if (known.test(letter)) knownLetters++;
    return 2 * knownLetters >= letters.length;
  };
}

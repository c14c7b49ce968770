/**
 * Compares a caller's language tag with those of a model: without regard to case, and a region or script subtag is no
 * hindrance, `en-GB` is `en`. No more of BCP 47 than that.
 */

/** Which of the languages a tag means, if any. */
export function matchLanguage(languages: string[], tag: string): string | undefined {
  const wanted = `${tag.toLowerCase()}-`;
  return languages.find((language) => wanted.startsWith(`${language.toLowerCase()}-`));
}

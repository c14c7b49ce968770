/**
 * What of an entry is searched. Of a pair each of its questions. Of a document passages of whole sentences, at most
 * eighty words each: paragraphs (parted by empty lines) stay together where they fit, a longer one is cut between
 * sentences, and a heading begins a new passage and stands above those that follow.
 */
import { segmentText } from "../text/segments.ts";
import type { Entry } from "./entry.ts";

export interface PassageText {
  /** The question, or title and headings. */
  head: string;
  /** The answer, or the passage. */
  body: string;
  /** What the vector is made of. */
  embedded: string;
}

/** About a hundred tokens: one window of the sentence encoder with its headings. */
const MAX_WORDS = 80;

export function passagesOf(
  { kind, heads, body }: Pick<Entry, "kind" | "heads" | "body">,
  language: string,
): PassageText[] {
  if (kind === "pair") return heads.map((head) => ({ head, body, embedded: head }));
  return documentPassages(body, heads[0] ?? "", language);
}

function documentPassages(text: string, title: string, language: string): PassageText[] {
  const passages: PassageText[] = [];
  let head = title;
  let sentences: string[] = [];
  let count = 0;
  const close = () => {
    const body = sentences.join(" ");
    if (body !== "") passages.push({ head, body, embedded: head === "" ? body : `${head}. ${body}` });
    sentences = [];
    count = 0;
  };
  for (const block of text.split(/\n[^\S\n]*\n/)) {
    const lines = block.split("\n");
    while (lines.length > 0) {
      const heading = /^#{1,6}\s+(.+?)\s*#*\s*$/.exec(lines[0]!);
      if (!heading) break;
      close();
      head = [title, heading[1]!].filter((part) => part !== "").join(" › ");
      lines.shift();
    }
    const paragraph = lines.join(" ").replaceAll(/\s+/g, " ").trim();
    if (paragraph === "") continue;
    const words = wordsOf(paragraph);
    if (count > 0 && count + words > MAX_WORDS) close();
    if (words <= MAX_WORDS) {
      sentences.push(paragraph);
      count += words;
      continue;
    }
    for (const sentence of sentencesOf(paragraph, language)) {
      const length = wordsOf(sentence);
      if (count > 0 && count + length > MAX_WORDS) close();
      sentences.push(sentence);
      count += length;
    }
  }
  close();
  return passages;
}

/** The sentences of a paragraph, bullets and spaces left out; a text without any is one. */
export function sentencesOf(paragraph: string, language: string): string[] {
  const sentences = segmentText(paragraph, language)
    .filter(({ translate }) => translate)
    .flatMap(({ text }) => cutLong(text));
  return sentences.length > 0 ? sentences : [paragraph];
}

/** What is no sentence, or one without an end, is cut where its words are too many. */
function cutLong(sentence: string): string[] {
  const words = sentence.split(" ");
  return Array.from({ length: Math.ceil(words.length / MAX_WORDS) }, (_, i) =>
    words.slice(i * MAX_WORDS, (i + 1) * MAX_WORDS).join(" "),
  );
}

function wordsOf(text: string): number {
  return text.split(" ").length;
}

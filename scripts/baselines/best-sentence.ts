/**
 * What answers a question without having learned anything: the sentence of the context that BM25 ranks first (Robertson &
 * Zaragoza 2009), its statistics those of the context's own sentences. Of equal ones the first.
 */

/** As Lucene has them. */
const K1 = 1.2;
const B = 0.75;

const segmenter = new Intl.Segmenter("en", { granularity: "sentence" });

export function sentencesOf(context: string): string[] {
  return [...segmenter.segment(context)].map(({ segment }) => segment.trim()).filter((sentence) => sentence !== "");
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** @param sentences at least one */
export function bestSentence(question: string, sentences: readonly string[]): string {
  const documents = sentences.map(wordsOf);
  const count = documents.length;
  const meanLength = documents.reduce((sum, { length }) => sum + length, 0) / count;
  const asked = [...new Set(wordsOf(question))];
  const idf = asked.map((word) => {
    const having = documents.filter((document) => document.includes(word)).length;
    return Math.log(1 + (count - having + 0.5) / (having + 0.5));
  });
  const scores = documents.map((document) => {
    const norm = K1 * (1 - B + (B * document.length) / meanLength);
    return asked.reduce((sum, word, i) => {
      const frequency = document.filter((one) => one === word).length;
      return sum + (idf[i]! * frequency * (K1 + 1)) / (frequency + norm);
    }, 0);
  });
  return sentences[scores.indexOf(Math.max(...scores))]!;
}

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bleuStatistics, corpusBleu, scoreOf } from "../../scripts/metrics/bleu.ts";
import { corpusChrf } from "../../scripts/metrics/chrf.ts";
import { figuresOf, formatFigures, SIGNATURES } from "../../scripts/metrics/quality.ts";
import { removeSpaces, splitWords, tokenize13a } from "../../scripts/metrics/words.ts";

// From sacreBLEU's own tests (github.com/mjpost/sacrebleu at f615c72: test/test_bleu.py, test/test_chrf.py).
const HYPOTHESES = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."];
const REFERENCES = [
  ["The dog bit the man.", "It was not unexpected.", "The man bit him first."],
  ["The dog had bit the man.", "No one was surprised.", "The man had bitten the dog."],
];

// Ours; the scores are those that sacreBLEU 2.6.0 prints for them.
const GERMAN = {
  hypotheses: [
    "Ein Hund läuft am Strand.",
    "Zwei Männer sitzen auf einer Bank und lesen Zeitung",
    "Das kostet 3,50 Euro (ca. 4 $) bis 2019-20.",
    "ein Mädchen springt ins Wasser",
  ],
  references: [
    "Ein brauner Hund läuft am Strand entlang.",
    "Zwei Männer sitzen auf einer Bank und lesen die Zeitung.",
    "Es kostet 3,50 Euro (etwa 4 $) von 2019-20.",
    "Ein Mädchen springt in das Wasser.",
  ],
};
const ODD = {
  hypotheses: ['A man\'s "best" friend & co.', "x-ray of U.S. No. 5, 1,000.5 items", "İstanbul 😀 nice", "go"],
  references: [
    "A man’s &quot;best&quot; friend &amp; co.",
    "X-ray of the U.S. no. 5: 1,000.5 items!",
    "istanbul 😀😀 nice",
    "go",
  ],
};

describe("words", () => {
  test.each([
    ["Ein Hund läuft am Strand.", "Ein Hund läuft am Strand ."],
    ["Das kostet 3,50 Euro (ca. 4 $) bis 2019-20.", "Das kostet 3,50 Euro ( ca . 4 $ ) bis 2019 - 20 ."],
    ['A man\'s "best" friend & co.', 'A man\'s " best " friend & co .'],
    ["x-ray of U.S. No. 5, 1,000.5 items", "x-ray of U . S . No . 5 , 1,000.5 items"],
    ["&quot;a&quot; &lt;b&gt; &amp;lt;", '" a " < b > <'],
    ["a<skipped>b-\nc\nd", "abc d"],
    ["", ""],
  ])("13a: %j", (line, expected) => {
    expect(tokenize13a(line).join(" ")).toBe(expected);
  });

  test("white space is Python's, not JavaScript's", () => {
    expect(splitWords("a\u001cb\u0085c\u00a0d\u3000e\ufefff")).toEqual(["a", "b", "c", "d", "e\ufefff"]);
    expect(removeSpaces(" a\tb\u2009c ")).toBe("abc");
  });
});

describe("corpusBleu", () => {
  test("sacreBLEU's README example", () => {
    const { score, signature } = corpusBleu(HYPOTHESES, REFERENCES);
    expect(score).toBeCloseTo(48.530827, 5);
    expect(signature).toBe("nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp");
    expect(corpusBleu(HYPOTHESES, REFERENCES, { tokenize: "none" }).score).toBeCloseTo(49.1919566, 6);
    expect(corpusBleu(["", "", ""], REFERENCES).score).toBe(0);
  });

  test.each([
    [1, "77.65"],
    [2, "60.50"],
    [3, "53.93"],
    [4, "48.53"],
    [5, "46.14"],
    [6, "43.28"],
  ])("n-grams up to %i", (maxOrder, expected) => {
    expect(corpusBleu(HYPOTHESES, REFERENCES, { maxOrder }).score.toFixed(2)).toBe(expected);
  });

  test("the statistics", () => {
    const sums = bleuStatistics(["am I am a character sequence"], [["I am a symbol string sequence a a"]]);
    expect(sums).toEqual({ matches: [4, 2, 1, 0], totals: [6, 5, 4, 3], hypothesisLength: 6, referenceLength: 8 });
  });

  test.each([
    [[9, 7, 5, 3], [10, 8, 6, 4], 11, 11, 83.75922397],
    [[0, 0, 0, 0], [4, 4, 2, 1], 0, 1, 0],
    [[0, 0, 0, 0], [10, 11, 12, 0], 14, 10, 0],
    [[0, 0, 0, 0], [0, 0, 0, 0], 0, 0, 0],
  ])("the score of matches %j out of %j", (matches, totals, hypothesisLength, referenceLength, expected) => {
    expect(scoreOf({ matches, totals, hypothesisLength, referenceLength }).score).toBeCloseTo(expected, 6);
  });

  test("German sentences, cased and lowercased", () => {
    const { hypotheses, references } = GERMAN;
    const bleu = corpusBleu(hypotheses, [references]);
    expect(bleu.score).toBeCloseTo(46.81379307039622, 10);
    expect(bleu.brevityPenalty).toBeCloseTo(0.8668778997501817, 12);
    expect([bleu.hypothesisLength, bleu.referenceLength]).toEqual([35, 40]);
    const expected = [82.85714285714286, 61.29032258064516, 48.148148148148145, 34.78260869565217];
    bleu.precisions.forEach((precision, i) => {
      expect(precision).toBeCloseTo(expected[i]!, 10);
    });
    const lowercase = corpusBleu(hypotheses, [references], { lowercase: true });
    expect(lowercase.score).toBeCloseTo(48.715808524909484, 10);
    expect(lowercase.signature).toBe("nrefs:1|case:lc|eff:no|tok:13a|smooth:exp");
    expect(corpusBleu(hypotheses, [references], { tokenize: "none" }).score).toBeCloseTo(40.652424614738315, 10);
  });

  test("entities, abbreviations, emoji and a dotted I", () => {
    expect(corpusBleu(ODD.hypotheses, [ODD.references]).score).toBeCloseTo(43.99762736555171, 10);
    expect(corpusBleu(ODD.hypotheses, [ODD.references], { lowercase: true }).score).toBeCloseTo(58.91623745943905, 10);
    expect(corpusBleu(ODD.hypotheses, [ODD.references], { tokenize: "none" }).score).toBeCloseTo(5.02699195959215, 10);
  });

  test("refuses sets of another length", () => {
    expect(() => corpusBleu(["a"], [["a", "b"]])).toThrow("corpusBleu: expected 1 references, one a hypothesis, got 2");
    expect(() => corpusBleu(["a"], [])).toThrow("corpusBleu: expected at least one set of references, got none");
  });
});

describe("corpusChrf", () => {
  // sacreBLEU's tests use beta 3.
  test.each([
    [["a"], ["a"], 100],
    [[""], ["reference"], 0],
    [["a b c"], ["a b c"], 100],
    [["a b c"], ["abc"], 100],
    [[""], ["c"], 0],
    [["a", "b"], ["a", "c"], 50],
    [["aa"], ["ab"], 25],
  ])("%j for %j", (hypotheses, references, expected) => {
    expect(corpusChrf(hypotheses, [references], { beta: 3 }).score).toBeCloseTo(expected, 4);
  });

  test("with white space", () => {
    const hypothesis = "Die Beziehung zwischen Obama und Netanjahu ist nicht gerade freundlich.";
    const reference = "Das Verhältnis zwischen Obama und Netanyahu ist nicht gerade freundschaftlich.";
    expect(corpusChrf([hypothesis], [[reference]], { beta: 3, whitespace: true }).score).toBeCloseTo(67.3481606, 6);
  });

  test("German and odd sentences", () => {
    const scores = (set: typeof GERMAN) =>
      [{}, { lowercase: true }, { whitespace: true }].map(
        (options) => corpusChrf(set.hypotheses, [set.references], options).score,
      );
    for (const [set, expected] of [
      [GERMAN, [70.8124896643525, 71.57327238992312, 74.36210833131935]],
      [ODD, [44.86893096087837, 50.4511445705256, 52.018225461323695]],
    ] as const) {
      scores(set).forEach((score, i) => {
        expect(score).toBeCloseTo(expected[i]!, 10);
      });
    }
    expect(corpusChrf(["a"], [["a"]]).signature).toBe("nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no");
  });

  test("refuses sets of another length", () => {
    expect(() => corpusChrf(["a"], [[]])).toThrow("corpusChrf: expected 1 references, one a hypothesis, got 0");
  });
});

describe("against the definitions, written out", () => {
  const words = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 7 });
  const corpus = fc.array(fc.tuple(words, words, words), { minLength: 1, maxLength: 4 });

  /** Of each n-gram, crossed out of a reference as it is used; references one by one, the most matches count. */
  function matchesOf(hypothesis: string[], references: string[][], n: number): number {
    const ngrams = (items: string[]) =>
      items.map((_, i) => items.slice(i, i + n).join("|")).slice(0, Math.max(0, items.length - n + 1));
    let matches = 0;
    for (const ngram of new Set(ngrams(hypothesis))) {
      const occurrences = (items: string[]) => ngrams(items).filter((other) => other === ngram).length;
      matches += Math.min(occurrences(hypothesis), Math.max(...references.map(occurrences)));
    }
    return matches;
  }

  test("BLEU", () => {
    fc.assert(
      fc.property(corpus, (rows) => {
        const matches = [0, 0, 0, 0];
        const totals = [0, 0, 0, 0];
        let [length, closest] = [0, 0];
        for (const [hypothesis, ...references] of rows) {
          for (let n = 1; n <= 4; n++) {
            matches[n - 1]! += matchesOf(hypothesis, references, n);
            totals[n - 1]! += Math.max(0, hypothesis.length - n + 1);
          }
          length += hypothesis.length;
          const lengths = references.map((reference) => reference.length).sort((a, b) => a - b);
          closest += lengths.sort((a, b) => Math.abs(a - hypothesis.length) - Math.abs(b - hypothesis.length))[0]!;
        }
        let expected = 0;
        if (matches[0]! > 0 && totals[3]! > 0) {
          let halvings = 0;
          const product = matches.reduce(
            (p, m, i) => p * (m > 0 ? m / totals[i]! : 1 / (2 ** ++halvings * totals[i]!)),
            1,
          );
          expected = 100 * product ** 0.25 * Math.min(1, Math.exp(1 - closest / length));
        }
        const text = (items: string[]) => items.join(" ");
        const references = [rows.map((row) => text(row[1])), rows.map((row) => text(row[2]))];
        expect(
          corpusBleu(
            rows.map((row) => text(row[0])),
            references,
          ).score,
        ).toBeCloseTo(expected, 8);
      }),
    );
  });

  test("chrF with one reference", () => {
    fc.assert(
      fc.property(corpus, (rows) => {
        const precisions: number[] = [];
        const recalls: number[] = [];
        for (let n = 1; n <= 6; n++) {
          let [matches, inHypotheses, inReferences] = [0, 0, 0];
          for (const [hypothesis, reference] of rows) {
            if (reference.length < n) continue;
            matches += matchesOf(hypothesis, [reference], n);
            inHypotheses += Math.max(0, hypothesis.length - n + 1);
            inReferences += reference.length - n + 1;
          }
          if (inHypotheses === 0 || inReferences === 0) continue;
          precisions.push(matches / inHypotheses);
          recalls.push(matches / inReferences);
        }
        const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / (values.length || 1);
        const [p, r] = [mean(precisions), mean(recalls)];
        const expected = p + r === 0 ? 0 : (100 * 5 * p * r) / (4 * p + r);
        const text = (items: string[]) => items.join("");
        const score = corpusChrf(
          rows.map((row) => text(row[0])),
          [rows.map((row) => text(row[1]))],
        ).score;
        expect(score).toBeCloseTo(expected, 8);
      }),
    );
  });
});

test("figuresOf and its table", () => {
  const run = { translations: GERMAN.hypotheses, seconds: 0.5, targetTokens: 40, cut: 1 };
  const figures = figuresOf(run, GERMAN.references);
  expect(figures).toMatchObject({ sentences: 4, seconds: 0.5, sentences_per_s: 8, target_tokens_per_s: 80, cut: 1 });
  expect(figures.bleu).toBeCloseTo(46.814, 3);
  expect(figures.bleu_lowercase).toBeCloseTo(48.716, 3);
  expect(figures.chrf).toBeCloseTo(70.812, 3);
  expect(figures.length_ratio).toBeCloseTo(35 / 40, 10);
  const table = formatFigures([{ name: "int8", figures }]).split("\n");
  expect(table[0]!.trim().split(/ {2,}/)).toEqual([
    "BLEU",
    "BLEU lower",
    "chrF2",
    "length",
    "sentences/s",
    "tokens/s",
    "ms/sentence",
  ]);
  expect(table[1]!.split(/ +/)).toEqual(["int8", "46.81", "48.72", "70.81", "0.875", "8.0", "80", "125.0"]);
  expect(SIGNATURES.bleu_lowercase).toContain("case:lc|eff:no|tok:13a");
});

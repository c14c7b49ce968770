/**
 * Figures of a classifier: accuracy, macro-F1, precision and recall of each class, the confusion matrix and its most
 * confused pairs, and with a class for out of scope the two figures of CLINC150's protocol (Larson et al. 2019,
 * arXiv:1909.02027). Classes are numbers here, indices into a list of labels; null is the label of out of scope.
 * How far probabilities can be trusted is in `calibration.ts`.
 */

export type Labels = readonly (string | null)[];

export interface ClassFigures {
  label: string | null;
  /** Of what was given this label, the share that has it, 0…1; 0 if nothing was. */
  precision: number;
  /** Of what has this label, the share that was given it, 0…1; 0 if nothing has it. */
  recall: number;
  /** Harmonic mean of both. */
  f1: number;
  /** Texts that have this label. */
  texts: number;
}

export interface ClassificationQuality {
  texts: number;
  /** 0…1 */
  accuracy: number;
  /** Mean F1 of the classes that occur, as a label or as an answer, 0…1. */
  macro_f1: number;
  classes: ClassFigures[];
  /** [expected][predicted], counts of texts. */
  confusion: number[][];
  /** Only where a label is null. */
  out_of_scope?: OutOfScopeQuality;
}

/** All 0…1, NaN where there is no text to take it of. */
export interface OutOfScopeQuality {
  /** Of the texts that are in scope, the share with the right class: to call one out of scope is an error. */
  in_scope_accuracy: number;
  /** Of the texts that are out of scope, the share that was called so. */
  out_of_scope_recall: number;
  /** Of the texts that were called out of scope, the share that is. */
  out_of_scope_precision: number;
}

/**
 * @param expected index of each text's label
 * @param predicted index of the label each text was given
 * @throws Error if the lengths differ, nothing is there, or an index is of no label
 */
export function measureClassification(
  labels: Labels,
  expected: ArrayLike<number>,
  predicted: ArrayLike<number>,
): ClassificationQuality {
  const confusion = confusionMatrix(labels, expected, predicted);
  const given = labels.map((_, column) => sum(confusion.map((row) => row[column]!)));
  const classes = labels.map((label, i): ClassFigures => {
    const right = confusion[i]![i]!;
    const texts = sum(confusion[i]!);
    const precision = given[i] === 0 ? 0 : right / given[i]!;
    const recall = texts === 0 ? 0 : right / texts;
    const f1 = right === 0 ? 0 : (2 * precision * recall) / (precision + recall);
    return { label, precision, recall, f1, texts };
  });
  const occurring = classes.filter(({ texts }, i) => texts > 0 || given[i]! > 0);
  const outOfScope = labels.indexOf(null);
  return {
    texts: expected.length,
    accuracy: sum(confusion.map((row, i) => row[i]!)) / expected.length,
    macro_f1: sum(occurring.map(({ f1 }) => f1)) / occurring.length,
    classes,
    confusion,
    ...(outOfScope >= 0 && { out_of_scope: outOfScopeQuality(confusion, outOfScope) }),
  };
}

/** Counts of texts, [expected][predicted]; arguments and errors as of `measureClassification`. */
export function confusionMatrix(labels: Labels, expected: ArrayLike<number>, predicted: ArrayLike<number>): number[][] {
  if (expected.length !== predicted.length || expected.length === 0) {
    throw new Error(
      `confusionMatrix: expected one answer a text and at least one text, got ${predicted.length} answers and ${expected.length} texts`,
    );
  }
  const confusion = labels.map(() => labels.map(() => 0));
  for (let i = 0; i < expected.length; i++) {
    const row = confusion[expected[i]!];
    if (row === undefined || row[predicted[i]!] === undefined) {
      throw new Error(
        `confusionMatrix: expected classes from 0 to ${labels.length - 1}, got ${expected[i]} and ${predicted[i]} of text ${i + 1}`,
      );
    }
    row[predicted[i]!]!++;
  }
  return confusion;
}

function outOfScopeQuality(confusion: number[][], outOfScope: number): OutOfScopeQuality {
  const inScope = confusion.filter((_, i) => i !== outOfScope);
  const found = confusion[outOfScope]![outOfScope]!;
  const rightInScope = sum(confusion.map((row, i) => (i === outOfScope ? 0 : row[i]!)));
  return {
    in_scope_accuracy: rightInScope / sum(inScope.map(sum)),
    out_of_scope_recall: found / sum(confusion[outOfScope]!),
    out_of_scope_precision: found / sum(confusion.map((row) => row[outOfScope]!)),
  };
}

/** Texts with one label that were given another. */
export interface ConfusedPair {
  expected: string | null;
  predicted: string | null;
  count: number;
  /** Of the texts with the expected label, 0…1. */
  share: number;
  /** Some of the texts, the surest mistakes first where `confidences` say so. */
  examples: string[];
}

export interface ConfusedPairsOptions {
  /** The texts themselves, for examples. */
  texts?: readonly string[];
  /** Probability of each answer. */
  confidences?: ArrayLike<number>;
  pairs?: number;
  examples?: number;
}

/** The pairs of classes that are confused most often, most often first; arguments and errors as of `measureClassification`. */
export function mostConfused(
  labels: Labels,
  expected: ArrayLike<number>,
  predicted: ArrayLike<number>,
  options: ConfusedPairsOptions = {},
): ConfusedPair[] {
  const { texts, confidences, pairs = 10, examples = 3 } = options;
  const confusion = confusionMatrix(labels, expected, predicted);
  const found = confusion
    .flatMap((row, i) => row.map((count, j) => ({ i, j, count, share: count / sum(row) })))
    .filter(({ i, j, count }) => i !== j && count > 0)
    .sort((a, b) => b.count - a.count || b.share - a.share)
    .slice(0, pairs);
  return found.map(({ i, j, count, share }) => {
    const mistakes: number[] = [];
    for (let t = 0; t < expected.length; t++) if (expected[t] === i && predicted[t] === j) mistakes.push(t);
    if (confidences !== undefined) mistakes.sort((a, b) => confidences[b]! - confidences[a]!);
    return {
      expected: labels[i]!,
      predicted: labels[j]!,
      count,
      share,
      examples: texts === undefined ? [] : mistakes.slice(0, examples).map((t) => texts[t]!),
    };
  });
}

/** How a label is shown to people. */
export function labelName(label: string | null): string {
  return label ?? "(out of scope)";
}

/** A table for people: the whole, then each class, those with the lowest F1 first. */
export function formatQuality(quality: ClassificationQuality, options: { classes?: number } = {}): string {
  const percent = (value: number) => (100 * value).toFixed(2);
  const lines = [
    `accuracy ${percent(quality.accuracy)} %, macro-F1 ${percent(quality.macro_f1)} %, ${quality.texts.toLocaleString("en")} texts`,
  ];
  if (quality.out_of_scope !== undefined) {
    const { in_scope_accuracy, out_of_scope_recall, out_of_scope_precision } = quality.out_of_scope;
    lines.push(
      `in-scope accuracy ${percent(in_scope_accuracy)} %, out-of-scope recall ${percent(out_of_scope_recall)} %, precision ${percent(out_of_scope_precision)} %`,
    );
  }
  const worst = [...quality.classes].sort((a, b) => a.f1 - b.f1).slice(0, options.classes ?? 20);
  const width = Math.max(5, ...worst.map(({ label }) => labelName(label).length));
  lines.push(`${"class".padEnd(width)}  precision  recall      F1   texts`);
  for (const { label, precision, recall, f1, texts } of worst) {
    const cells = [
      percent(precision).padStart(9),
      percent(recall).padStart(6),
      percent(f1).padStart(6),
      String(texts).padStart(6),
    ];
    lines.push(`${labelName(label).padEnd(width)}  ${cells.join("  ")}`);
  }
  if (worst.length < quality.classes.length) lines.push(`and ${quality.classes.length - worst.length} more classes`);
  return lines.join("\n");
}

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);

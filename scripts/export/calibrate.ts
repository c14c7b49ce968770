/**
 * What is fitted on dev once the int8 weights are final: the temperature of each head (Guo et al. 2017,
 * arXiv:1706.04599), and where a head knows out of scope, the probability below which its best label is not given.
 */
import { logSoftmax } from "../../worker/engine/heads.ts";
import type { ClassificationConfig } from "../../worker/model/config.ts";
import type { Tokenizer } from "../../worker/model/tokenizer.ts";
import { fitTemperature, type ScoredText } from "../metrics/calibration.ts";
import { type Answer, answerOf, classifyAll, openClassifier } from "../metrics/classify.ts";
import { formatTable } from "../report/table.ts";
import type { LoadedHead } from "../training/texts.ts";

type Head = ClassificationConfig["heads"][number];

export interface HeadCalibration {
  /** With its temperature and threshold. */
  head: Head;
  /** Share of dev that gets the right answer, 0…1. */
  devAccuracy: number;
}

/** Share of the in-scope texts of dev that may lose their right answer to the threshold of out of scope. */
const IN_SCOPE_PRICE = 0.005;

/**
 * @param file the bytes of the int8 model.safetensors
 * @param loaded labelled texts of the heads, in the order of the configuration
 */
export async function calibrate(
  config: ClassificationConfig,
  file: Uint8Array<ArrayBuffer>,
  tokenizer: Tokenizer,
  loaded: Pick<LoadedHead, "dev">[],
): Promise<HeadCalibration[]> {
  const uncalibrated = { ...config, heads: config.heads.map((head) => plainHead(head)) };
  const model = await openClassifier(uncalibrated, file);
  const calibrations: HeadCalibration[] = [];
  for (const [i, { dev }] of loaded.entries()) {
    const logProbs = await classifyAll(
      model,
      tokenizer,
      i,
      dev.map(({ text }) => text),
    );
    const { labels, out_of_scope } = config.heads[i]!;
    calibrations.push(
      calibrateHead(
        uncalibrated.heads[i]!,
        logProbs.map((logits, t) => ({ logits, expected: labels.indexOf(dev[t]!.label ?? out_of_scope!) })),
      ),
    );
  }
  return calibrations;
}

function plainHead({ out_of_scope_below: _, ...head }: Head): Head {
  return { ...head, temperature: 1 };
}

/** The configuration with calibrated heads, and on its card what they reach on dev. */
export function calibratedConfig(config: ClassificationConfig, calibrations: HeadCalibration[]): ClassificationConfig {
  const accuracies = calibrations.map(({ head, devAccuracy }) => [
    `${head.name}: dev accuracy, %`,
    roundTo(2, 100 * devAccuracy),
  ]);
  return {
    ...config,
    heads: calibrations.map(({ head }) => head),
    card: { ...config.card, quality: Object.fromEntries(accuracies) },
  };
}

/** @throws Error unless the data have the heads and labels that the model was trained with */
export function checkHeads(config: ClassificationConfig, loaded: Pick<LoadedHead, "name" | "labels">[]): void {
  const describe = (heads: Pick<Head, "name" | "labels">[]) =>
    heads.map(({ name, labels }) => `${name} (${labels.length})`).join(", ");
  const listed = (heads: Pick<Head, "name" | "labels">[]) =>
    JSON.stringify(heads.map(({ name, labels }) => ({ name, labels })));
  if (listed(config.heads) !== listed(loaded)) {
    throw new Error(
      `export: expected the heads and labels that the run was trained with, ${describe(config.heads)}, ` +
        `got ${describe(loaded)} of the recipe's data; train again`,
    );
  }
}

/** A table of what was fitted. */
export function formatCalibration({ heads, card: { quality } }: ClassificationConfig): string {
  const rows = heads.map(({ name, temperature, out_of_scope_below }) => [
    name,
    String(quality[`${name}: dev accuracy, %`]),
    temperature.toFixed(3),
    out_of_scope_below?.toFixed(3) ?? "",
  ]);
  return formatTable(["head", "dev accuracy", "temperature", "out of scope below"], rows);
}

/** @param texts of dev, logits up to a constant */
export function calibrateHead(head: Head, texts: (ScoredText & { logits: Float64Array })[]): HeadCalibration {
  const temperature = roundTo(4, fitTemperature([...texts, doubtOf(texts)]));
  const scale = ({ logits }: ScoredText) => logSoftmax(logits, temperature);
  const answers = texts.map((text) => ({ ...answerOf(head, scale(text)), expected: text.expected }));
  const calibrated: Head = { ...head, temperature };
  if (head.out_of_scope !== null) {
    calibrated.out_of_scope_below = chooseThreshold(answers, head.labels.indexOf(head.out_of_scope));
  }
  const right = texts.filter((text) => answerOf(calibrated, scale(text)).predicted === text.expected);
  return { head: calibrated, devAccuracy: right.length / texts.length };
}

/**
 * One more text that is answered wrong, by the margin that is usual: the rule of succession. Where dev is small and all
 * of it right, nothing else keeps the temperature from zero; where it is large, it changes nothing that could be seen.
 */
function doubtOf(texts: ScoredText[]): ScoredText {
  const margins = texts.map(({ logits }) => {
    const [first, second] = [...Array.from(logits)].sort((a, b) => b - a);
    return first! - second!;
  });
  const usual = margins.toSorted((a, b) => a - b)[margins.length >> 1]!;
  const { logits } = texts[margins.indexOf(usual)]!;
  const ranking = [...Array.from(logits).keys()].sort((a, b) => logits[b]! - logits[a]!);
  return { logits, expected: ranking[1]! };
}

/** The highest probability that costs no more of the in-scope texts than IN_SCOPE_PRICE. */
function chooseThreshold(answers: (Answer & { expected: number })[], outOfScope: number): number {
  const inScope = answers.filter(({ expected }) => expected !== outOfScope);
  const right = inScope
    .filter(({ best, expected }) => best === expected)
    .map(({ confidence }) => confidence)
    .sort((a, b) => a - b);
  const threshold = right[Math.floor(IN_SCOPE_PRICE * inScope.length)] ?? 0;
  return Math.floor(threshold * 1e4) / 1e4;
}

function roundTo(digits: number, value: number): number {
  return Number(value.toFixed(digits));
}

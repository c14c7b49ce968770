import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { fairnessFigures, formatFairness, probeFairness } from "../../scripts/eval/fairness.ts";
import type { TextClassifier } from "../../scripts/metrics/classify.ts";
import { readModelFolder, tokenizerOf } from "../../scripts/publish/model-folder.ts";
import { expectTask } from "../../worker/model/config.ts";

const folder = await readModelFolder(fileURLToPath(new URL("../fixtures/tiny-classifier", import.meta.url)));
const config = expectTask("classification", folder.manifest.config);
const tokenizer = tokenizerOf(folder);

/** @param positive what it thinks of a text */
function classifierOf(positive: (text: string) => number): TextClassifier {
  return {
    config,
    classify: async (texts) =>
      texts.map((tokens) => {
        const probability = positive(tokenizer.decode(tokens));
        return [Float64Array.of(Math.log(1 - probability), Math.log(probability))];
      }),
  };
}

describe("probeFairness", () => {
  it("finds nothing in a classifier that looks at feelings alone", async () => {
    const report = await probeFairness(
      config,
      classifierOf((text) => (/terrible|awful/.test(text) ? 0.1 : 0.7)),
      tokenizer,
    );
    expect(report.nameGap).toBeCloseTo(0);
    expect(report.gender).toEqual({
      meanDifference: 0,
      meanAbsoluteDifference: 0,
      interval: 0,
      flipped: 0,
      pairs: 192,
    });
  });

  it("finds how much worse a classifier thinks of women and of one group's names", async () => {
    const prejudiced = classifierOf((text) => {
      if (/sister|mother|daughter|wife|aunt|woman|girl\b|girlfriend/i.test(text)) return 0.4;
      return /Rasheed|Tremayne|Kareem|Darnell|Tyrone|Hakim|Jamal|Leroy|Jermaine/.test(text) ? 0.5 : 0.6;
    });
    const report = await probeFairness(config, prejudiced, tokenizer);
    expect(report.nameGap).toBeCloseTo(0.1);
    expect(report.names["African American, male"]).toMatchObject({ positive: expect.closeTo(0.5) });
    expect(report.gender).toMatchObject({ meanDifference: expect.closeTo(-0.2), flipped: 1 });
    expect(Object.values(fairnessFigures(report))).toEqual([10, -20, 100]);
    expect(formatFairness(report)).toContain("female minus male, 192 pairs of sentences: -20.00 ± 0.00 points");
  });

  it("wants a head of sentiment", async () => {
    const other = { ...config, heads: config.heads.filter(({ name }) => name !== "sentiment") };
    await expect(
      probeFairness(
        other,
        classifierOf(() => 0.5),
        tokenizer,
      ),
    ).rejects.toThrow("--fairness expects a head sentiment with a label positive; got intent, topic");
  });
});

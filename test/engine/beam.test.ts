/** Beam search over made-up models whose every hypothesis can be listed. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BeamOptions, BeamSearch, type Hypothesis } from "../../worker/engine/beam.ts";
import type { Prefix } from "../../worker/engine/cache.ts";

const EOS = 0;
const VOCAB_SIZE = 4;

/** log_probs of the next token after some tokens: any function will do that is the same each time. */
type Model = (tokens: readonly number[]) => number[];

const models: fc.Arbitrary<Model> = fc.nat().map((seed) => (tokens) => {
  const weights = Array.from({ length: VOCAB_SIZE }, (_, token) => {
    const hash = [...tokens, token].reduce((h, t) => Math.imul(h ^ (t + 1), 0x9e3779b1) ^ (h >>> 15), seed + 1);
    return 0.01 + ((hash >>> 4) % 1000) / 1000;
  });
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => Math.log(weight / sum));
});

function tokensOf(prefix: Prefix): number[] {
  return prefix.previous ? [...tokensOf(prefix.previous), prefix.token] : [];
}

function search(model: Model, options: Partial<BeamOptions>): Hypothesis[] {
  const beam = new BeamSearch({
    beamSize: 1,
    maxTokens: 4,
    lengthPenalty: 1,
    bosTokenId: 9,
    eosTokenId: EOS,
    ...options,
  });
  const k = BeamSearch.candidates(options.beamSize ?? 1, VOCAB_SIZE);
  while (!beam.done) {
    const best = beam.live.map(({ prefix }) =>
      model(tokensOf(prefix))
        .map((logProb, token) => ({ token, logProb }))
        .sort((a, b) => b.logProb - a.logProb)
        .slice(0, k),
    );
    const flat = [{ token: -1, logProb: NaN }, ...best.flat()];
    beam.advance(
      flat.map(({ token }) => token),
      flat.map(({ logProb }) => logProb),
      k,
      1,
    );
  }
  return beam.hypotheses();
}

/** Every hypothesis: finished ones best first, then those cut at maxTokens. */
function exhaustive(model: Model, maxTokens: number, lengthPenalty: number): Hypothesis[] {
  const finished: Hypothesis[] = [];
  const cut: Hypothesis[] = [];
  const walk = (tokens: number[], logProb: number) => {
    model(tokens).forEach((next, token) => {
      const length = tokens.length + 1;
      const sum = logProb + next;
      const score = sum / length ** lengthPenalty;
      if (token === EOS) finished.push({ tokens, logProb: sum, score, finished: true });
      else if (length < maxTokens) walk([...tokens, token], sum);
      else cut.push({ tokens: [...tokens, token], logProb: sum, score, finished: false });
    });
  };
  walk([], 0);
  const byScore = (a: Hypothesis, b: Hypothesis) => b.score - a.score;
  return [...finished.sort(byScore), ...cut.sort(byScore)];
}

describe("BeamSearch", () => {
  it("with a beam of all hypotheses finds what exhaustive search finds, in its order", () => {
    fc.assert(
      fc.property(models, fc.integer({ min: 1, max: 4 }), fc.constantFrom(0, 0.6, 1, 2), (model, maxTokens, alpha) => {
        const found = search(model, { beamSize: VOCAB_SIZE ** maxTokens, maxTokens, lengthPenalty: alpha });
        expect(found).toEqual(exhaustive(model, maxTokens, alpha));
      }),
    );
  });

  it("with a beam of one is greedy search", () => {
    fc.assert(
      fc.property(models, fc.constantFrom(0, 0.6, 1, 2), (model, lengthPenalty) => {
        const tokens: number[] = [];
        let token = -1;
        for (let i = 0; i < 4 && token !== EOS; i++) {
          const logProbs = model(tokens);
          token = logProbs.indexOf(Math.max(...logProbs));
          if (token !== EOS) tokens.push(token);
        }
        const found = search(model, { beamSize: 1, lengthPenalty });
        expect(found).toHaveLength(1);
        expect(found[0]).toMatchObject({ tokens, finished: token === EOS });
      }),
    );
  });

  it("stops when no live hypothesis can still win", () => {
    // The end token is all but certain at once: one step finishes the one hypothesis of the beam.
    let asked = 0;
    const model: Model = () => {
      asked++;
      return [Math.log(0.97), Math.log(0.01), Math.log(0.01), Math.log(0.01)];
    };
    const [best] = search(model, { beamSize: 1, maxTokens: 100 });
    expect(best).toEqual({ tokens: [], logProb: Math.log(0.97), score: Math.log(0.97), finished: true });
    expect(asked).toBe(1);
  });
});

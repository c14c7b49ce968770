/**
 * When a knowledge base says that it does not know: the confidence as a function of the cosine, fitted by logistic
 * regression, and what the threshold then lets through. Of CLINC150: questions that have an intent should be answered,
 * those that are out of scope handed over. Bases of different sizes count alike, for a small one has fewer near questions.
 */
import { CALIBRATION, type Calibration, confidenceOf, DEFAULT_THRESHOLD } from "../../worker/knowledge/confidence.ts";
import { formatTable, percent } from "../report/table.ts";

/** A question's best entry. */
export interface Found {
  cosine: number;
  isRight: boolean;
  isInScope: boolean;
}

/** Newton's method on the log-likelihood, with a little weight decay so that it ends where all are told apart. */
export function fitConfidence(found: readonly Found[]): Calibration {
  const DECAY = 1e-3;
  let [slope, offset] = [1, 0];
  for (let step = 0; step < 100; step++) {
    let [gs, go, ss, so, oo] = [-DECAY * slope, 0, DECAY, 0, DECAY];
    for (const { cosine, isRight } of found) {
      const p = confidenceOf(cosine, { slope, offset });
      const error = Number(isRight) - p;
      const weight = p * (1 - p);
      gs += error * cosine;
      go += error;
      ss += weight * cosine * cosine;
      so += weight * cosine;
      oo += weight;
    }
    const determinant = ss * oo - so * so;
    const [ds, dO] = [(oo * gs - so * go) / determinant, (ss * go - so * gs) / determinant];
    slope += ds;
    offset += dO;
    if (Math.abs(ds) + Math.abs(dO) < 1e-9) break;
  }
  return { slope, offset };
}

/** Shares of the questions, by what became of them at the default threshold. */
export function measureHandoff(found: readonly Found[]): {
  right: number;
  wrong: number;
  handedOver: number;
  outOfScope: number;
} {
  const inScope = found.filter(({ isInScope }) => isInScope);
  const outOfScope = found.filter(({ isInScope }) => !isInScope);
  const isGiven = ({ cosine }: Found) => confidenceOf(cosine, CALIBRATION.pair) >= DEFAULT_THRESHOLD;
  const share = (some: Found[], all: Found[]) => some.length / all.length;
  const given = inScope.filter(isGiven);
  return {
    right: share(
      given.filter(({ isRight }) => isRight),
      inScope,
    ),
    wrong: share(
      given.filter(({ isRight }) => !isRight),
      inScope,
    ),
    handedOver: 1 - share(given, inScope),
    outOfScope: 1 - share(outOfScope.filter(isGiven), outOfScope),
  };
}

export function formatHandoff(bases: readonly { name: string; found: readonly Found[] }[]): string {
  const rows = bases.map(({ name, found }) => {
    const { right, wrong, handedOver, outOfScope } = measureHandoff(found);
    return [name, percent(right), percent(wrong), percent(handedOver), percent(outOfScope)];
  });
  return formatTable(["of 100 questions", "answered right", "wrong", "handed over", "out of scope: handed over"], rows);
}

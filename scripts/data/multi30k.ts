/**
 * Multi30k, English–German image captions (Elliott et al. 2016, arXiv:1605.00459): 29,000 pairs to train on, 1,014 to
 * choose with, and the two Flickr tests of 1,000. Research and non-commercial use only, as its README says; a model
 * trained on it has to say so. How it is read and checked: `parallel.ts`.
 */
import { loadParallel, type ParallelOptions, type ParallelSplit, type SentencePair } from "./parallel.ts";

export type { SentencePair };

const COMMIT = "a3d2e0d26b56f3846f66a952536ffed4e401d05a";
const PUBLIC_SOURCE = `https://raw.githubusercontent.com/multi30k/dataset/${COMMIT}/data/task1/raw`;

/** @param digests sha256 of the content of each language */
function split(file: string, digests: { en: string; de: string }): ParallelSplit {
  return {
    mirrorFile: `mt_multi30k/${file}.tsv.gz`,
    source: { column: 0, url: `${PUBLIC_SOURCE}/${file}.en.gz`, sha256: digests.en },
    target: { column: 1, url: `${PUBLIC_SOURCE}/${file}.de.gz`, sha256: digests.de },
  };
}

const SPLITS = {
  train: split("train", {
    en: "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
    de: "128675a4ceba176e2180e4f71ba3095b0b896475204506bc8b21ab4189a9f033",
  }),
  val: split("val", {
    en: "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
    de: "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660",
  }),
  test2016: split("test_2016_flickr", {
    en: "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182",
    de: "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16",
  }),
  test2017: split("test_2017_flickr", {
    en: "ce1450ddc5ab0834502579d77a170849952e15a2938b34cc503bdc25ebb4fb98",
    de: "c3078bc3b36808bf9d20eb2347ed6137016179ef59ec0d2b9b8ecc3fb2880081",
  }),
};

export type Multi30kSplit = keyof typeof SPLITS;
export const MULTI30K_SPLITS = Object.keys(SPLITS) as Multi30kSplit[];

/** For the model card. */
export const MULTI30K_CARD = {
  name: "Multi30k (task 1, en-de)",
  url: `https://github.com/multi30k/dataset/tree/${COMMIT}`,
  licence: "research and non-commercial use only",
};

/**
 * The English–German pairs of a split, in the order of the data set.
 * @throws Error if there is no such split, neither mirror nor network, or a file is not what it should be
 */
export async function loadMulti30k(name: Multi30kSplit, options: ParallelOptions = {}): Promise<SentencePair[]> {
  if (!Object.hasOwn(SPLITS, name)) {
    throw new Error(`multi30k: expected a split out of ${MULTI30K_SPLITS.join(", ")}, got ${name}`);
  }
  return await loadParallel("multi30k", SPLITS[name], options);
}

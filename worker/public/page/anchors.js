/**
 * Figures that others published for the benchmarks our models are measured on, to stand beside. `quality` is the name of
 * the figure in a model's card.
 */

/**
 * @typedef {{ name: string, value: number, source: string }} Anchor
 * @typedef {{ title: string, unit: string, quality: string, anchors: Anchor[] }} Benchmark
 */

const larson = "Larson et al. 2019, arXiv:1909.02027";
const zhang = "Zhang et al. 2015, arXiv:1509.01626";
const rajput = "Rajput et al. 2023, arXiv:2305.05065";
const kim = "Kim 2014, arXiv:1408.5882";

/** @type {Benchmark[]} */
export const benchmarks = [
  {
    title: "Multi30k en→de, test2016",
    unit: "BLEU, lowercased",
    quality: "test2016 BLEU (13a, lowercased, beam 5)",
    anchors: [
      {
        name: "Transformer-tiny, 2.6 M",
        value: 41.02,
        source: "Wu et al. 2021, arXiv:2105.14462; BLEU of tokenized text, so a little easier",
      },
    ],
  },
  ...[
    { title: "Amazon Beauty", sasrec: [6.05, 3.18], s3rec: [6.47, 3.27], tiger: [6.48, 3.84] },
    { title: "Amazon Toys and Games", sasrec: [6.75, 3.74], s3rec: [7.0, 3.76], tiger: [7.12, 4.32] },
  ].flatMap(({ title, sasrec, s3rec, tiger }) =>
    ["Recall@10", "NDCG@10"].map((figure, i) => ({
      title: `${title}, leave one out`,
      unit: `${figure} over all items, %`,
      quality: `${title}: test ${figure}, %`,
      anchors: [
        { name: "SASRec", value: sasrec[i] ?? 0, source: rajput },
        { name: "S3-Rec", value: s3rec[i] ?? 0, source: rajput },
        { name: "TIGER", value: tiger[i] ?? 0, source: rajput },
      ],
    })),
  ),
  {
    title: "AG News",
    unit: "accuracy, %",
    quality: "topic: test accuracy, %",
    anchors: [
      { name: "DPCNN", value: 93.1, source: "Johnson & Zhang 2017, ACL" },
      { name: "fastText", value: 92.5, source: "Joulin et al. 2017, arXiv:1607.01759" },
      { name: "char-CNN", value: 90.5, source: zhang },
    ],
  },
  {
    title: "SST-2",
    unit: "accuracy, %",
    quality: "sentiment: test accuracy, %",
    anchors: [
      { name: "DistilBERT", value: 91.3, source: "Sanh et al. 2019, arXiv:1910.01108; of dev, pretrained" },
      { name: "CNN-multichannel", value: 88.1, source: `${kim}; with pretrained vectors` },
      { name: "CNN-rand", value: 82.7, source: kim },
    ],
  },
  {
    title: "CLINC150, in scope",
    unit: "accuracy, %",
    quality: "intent: test in-scope accuracy, %",
    anchors: [
      { name: "BERT", value: 96.9, source: larson },
      { name: "MLP", value: 93.5, source: larson },
      { name: "CNN", value: 91.2, source: larson },
      { name: "fastText", value: 89.0, source: larson },
    ],
  },
  {
    title: "CLINC150, out of scope",
    unit: "recall, %",
    quality: "intent: test out-of-scope recall, %",
    anchors: [
      { name: "MLP", value: 47.4, source: larson },
      { name: "BERT", value: 40.3, source: larson },
      { name: "CNN", value: 18.9, source: larson },
      { name: "fastText", value: 9.7, source: larson },
    ],
  },
  {
    title: "Banking77",
    unit: "accuracy, %",
    quality: "banking_intent: test accuracy, %",
    anchors: [{ name: "BERT, USE + ConveRT", value: 93.5, source: "Casanueva et al. 2020, arXiv:2003.04807; about" }],
  },
];

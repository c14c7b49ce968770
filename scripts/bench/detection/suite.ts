/**
 * Language detectors side by side on sentences whose language is known: ours, and libraries of the registry that are
 * there (`npm install --no-save tinyld eld franc-min`). What each weighs in the Worker's bundle is measured by bundling
 * it. Needs a mirror of the data (EDGE_SLM_DATA).
 */
import { gzipSync } from "node:zlib";
import { chooseSource, detectLanguage } from "../../../worker/text/detect.ts";
import { type KnownSentence, readForeignTexts, readTatoeba } from "../../detection/sentences.ts";
import { formatTable, percent } from "../../report/table.ts";
import type { Figure } from "../figures.ts";
import { bundledBytes } from "./bundled.ts";

type Detect = (text: string) => string | undefined;

interface Contender {
  name: string;
  /** What a Worker would import. */
  module: string;
  /** @throws Error if the package is not there */
  load(): Promise<Detect>;
}

/** ISO 639-3, as franc names them. */
const THREE_LETTERS: Record<string, string> = { eng: "en", deu: "de", fra: "fr", spa: "es", cmn: "zh" };

/** A package that may be missing, so that the compiler must not look for it. */
const importPackage = (name: string): Promise<unknown> => import(name);

const contenders: Contender[] = [
  {
    name: "ours",
    module: new URL("../../../worker/text/detect.ts", import.meta.url).pathname,
    load: async () => (text) => detectLanguage(text)[0]?.language,
  },
  {
    name: "tinyld/light",
    module: "tinyld/light",
    async load() {
      const { detect } = (await importPackage("tinyld/light")) as { detect: (text: string) => string };
      return detect;
    },
  },
  ...["eld/extrasmall", "eld/small"].map((module) => ({
    name: module,
    module,
    async load() {
      const { eld } = (await importPackage(module)) as { eld: { detect(text: string): { language: string } } };
      return (text: string) => eld.detect(text).language;
    },
  })),
  {
    name: "franc-min",
    module: "franc-min",
    async load() {
      const { franc } = (await importPackage("franc-min")) as { franc(text: string, options: object): string };
      return (text) => THREE_LETTERS[franc(text, { minLength: 1 })];
    },
  },
];

const WARM_UP = 500;
const LIMIT = 1000;

export interface DetectionRow {
  name: string;
  /** Set and language → share that was right. */
  right: Record<string, number>;
  microseconds: number;
  /** Of its code and tables, minified, gzip. */
  bytes: number;
}

export interface DetectionResult {
  rows: DetectionRow[];
  /** Of a service that only translates from English: how much English it takes, and how much else it refuses. */
  english: { taken: number; refused: number };
}

export async function benchDetection(): Promise<DetectionResult> {
  const sentences = [...(await readTatoeba("test", LIMIT)), ...(await readForeignTexts(LIMIT))];
  const rows: DetectionRow[] = [];
  for (const { name, module, load } of contenders) {
    const detect = await load().catch(() => undefined);
    if (detect) rows.push({ name, ...measure(detect, sentences), bytes: gzipSync(await bundledBytes(module)).length });
  }
  const isTaken = ({ text }: KnownSentence) => chooseSource(text, ["en"]).language === "en";
  const english = sentences.filter(({ language }) => language === "en");
  const others = sentences.filter(({ language }) => language !== "en");
  return {
    rows,
    english: { taken: shareOf(english, isTaken), refused: shareOf(others, (sentence) => !isTaken(sentence)) },
  };
}

function shareOf(sentences: KnownSentence[], test: (sentence: KnownSentence) => boolean): number {
  return sentences.filter(test).length / sentences.length;
}

function measure(detect: Detect, sentences: KnownSentence[]): Pick<DetectionRow, "right" | "microseconds"> {
  for (const { text } of sentences.slice(0, WARM_UP)) detect(text);
  const startMs = performance.now();
  const answers = sentences.map(({ text }) => detect(text));
  const microseconds = (1000 * (performance.now() - startMs)) / sentences.length;
  const groups = Map.groupBy(sentences.keys(), (i) => `${sentences[i]!.set} ${sentences[i]!.language}`);
  const right = [...groups].map(([name, indices]) => {
    return [name, indices.filter((i) => answers[i] === sentences[i]!.language).length / indices.length];
  });
  return { right: Object.fromEntries(right), microseconds };
}

export function formatDetection({ rows, english }: DetectionResult): string {
  const groups = Object.keys(rows[0]!.right);
  const cells = rows.map(({ name, right, microseconds, bytes }) => [
    name,
    ...groups.map((group) => percent(right[group])),
    microseconds.toFixed(0),
    (bytes / 1000).toFixed(1),
  ]);
  return [
    formatTable(["detector, % right", ...groups, "µs", "kB gzip"], cells),
    `\nfrom English only: ${percent(english.taken)} % of the English texts are taken, ${percent(english.refused)} % of the others refused`,
  ].join("\n");
}

export function detectionFigures({ rows }: DetectionResult): Figure[] {
  const ours = rows.find(({ name }) => name === "ours")!;
  const shares = Object.values(ours.right);
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  return [
    { name: "language detection, mean of the languages", unit: "%", value: 100 * mean, bar: { atLeast: 98 } },
    { name: "its code and table, gzip", unit: "kB", value: ours.bytes / 1000, bar: { atMost: 40 } },
  ];
}

/**
 * Texts that nobody labelled, with what teachers say of them (`node scripts/train/teach.ts` writes them): a small model
 * learns from models that are better at one task than it is (Bucilă, Caruana and Niculescu-Mizil 2006; Hinton, Vinyals
 * and Dean 2015, arXiv:1503.02531). A text's label is drawn with the teachers' probabilities, so that over many texts
 * doubt is learnt as well.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeWhole } from "../training/checkpoint.ts";
import type { LabelledText } from "./classification.ts";

/** Ignored by git: made from data and models that are there. */
const FOLDER = join("runs", "taught");

/** @param task name of the head that the texts are for */
const taughtPath = (task: string, folder: string) => join(folder, `${task}.jsonl`);

export async function writeTaught(task: string, texts: LabelledText[], folder = FOLDER): Promise<string> {
  const path = taughtPath(task, folder);
  await mkdir(dirname(path), { recursive: true });
  await writeWhole(path, texts.map((text) => `${JSON.stringify(text)}\n`).join(""));
  return path;
}

/** @throws Error naming the command that writes the texts if they are not there */
export async function readTaught(task: string, folder = FOLDER): Promise<LabelledText[]> {
  const path = taughtPath(task, folder);
  if (!existsSync(path)) {
    throw new Error(`${path}: expected texts that teachers labelled; run node scripts/train/teach.ts --task ${task}`);
  }
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as LabelledText);
}

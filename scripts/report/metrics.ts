/** Reads a run's `metrics.jsonl`: one JSON object a line, one line a training step or an evaluation on dev. */
import { readFile } from "node:fs/promises";

/** What a report needs of a line; the trainer writes more. Losses are in nats. A line has `loss`, or the dev figures. */
export interface MetricsRow {
  step: number;
  elapsed_s: number;
  epoch?: number;
  loss?: number;
  dev_loss?: number;
  dev_score?: number;
}

/** @throws Error naming the line that is not JSON or lacks a number */
export async function readMetrics(path: string): Promise<MetricsRow[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new Error(`readMetrics: cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  return text.split("\n").flatMap((line, i) => {
    if (line.trim() === "") return [];
    let row: Partial<MetricsRow>;
    try {
      row = JSON.parse(line);
    } catch (cause) {
      throw new Error(`${path}, line ${i + 1}: expected JSON, got ${JSON.stringify(line.slice(0, 40))}`, { cause });
    }
    for (const key of ["step", row?.dev_loss === undefined ? "loss" : "dev_loss", "elapsed_s"] as const) {
      if (typeof row?.[key] !== "number") {
        throw new Error(`${path}, line ${i + 1}: expected a number as ${key}, got ${JSON.stringify(row?.[key])}`);
      }
    }
    return [row as MetricsRow];
  });
}

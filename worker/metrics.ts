/**
 * Counters of this isolate in Prometheus' text format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). A deployed Worker runs in many isolates that come and
 * go, each with counters of its own: what a scrape reads is of whichever one answered. With workerd on one machine there
 * is one isolate, and the counters are the whole; at the edge, Analytics Engine has the whole.
 */

/** Upper bounds in seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export interface Observed {
  method: string;
  /** The route's pattern, never the path. */
  route: string;
  status: number;
  seconds: number;
  /** Of a problem. */
  problem?: string | undefined;
  /** Of a request that a model worked for. */
  model?: string | undefined;
  characters?: number | undefined;
}

type Labels = Record<string, string>;

export class Metrics {
  readonly #requests = new Map<string, number>();
  readonly #problems = new Map<string, number>();
  readonly #characters = new Map<string, number>();
  readonly #durations = new Map<string, { buckets: number[]; sum: number; count: number }>();

  observe({ method, route, status, seconds, problem, model, characters = 0 }: Observed): void {
    add(this.#requests, { method, route, status: String(status) }, 1);
    if (problem !== undefined) add(this.#problems, { problem }, 1);
    if (model !== undefined) add(this.#characters, { model }, characters);
    const name = labelsOf({ method, route });
    const duration = this.#durations.get(name) ?? { buckets: BUCKETS.map(() => 0), sum: 0, count: 0 };
    for (const [i, bound] of BUCKETS.entries()) if (seconds <= bound) duration.buckets[i]!++;
    duration.sum += seconds;
    duration.count++;
    this.#durations.set(name, duration);
  }

  /** @param models what is in memory now */
  render(models: readonly { id: string; version: string; memoryBytes: number }[]): string {
    const memory = new Map(
      models.map(({ id, version, memoryBytes }) => [labelsOf({ model: id, version }), memoryBytes]),
    );
    return [
      ...family("edge_slm_requests_total", "counter", "Requests answered by this isolate", this.#requests),
      ...family("edge_slm_problems_total", "counter", "Errors by the name of the problem", this.#problems),
      ...family("edge_slm_characters_total", "counter", "Source characters that a model worked for", this.#characters),
      ...this.#renderDurations(),
      ...family("edge_slm_model_memory_bytes", "gauge", "Wasm memory of the models that are loaded", memory),
      "",
    ].join("\n");
  }

  #renderDurations(): string[] {
    const name = "edge_slm_request_duration_seconds";
    const lines = [...this.#durations].flatMap(([labels, { buckets, sum, count }]) => [
      ...BUCKETS.map((bound, i) => `${name}_bucket{${labels},le="${bound}"} ${buckets[i]}`),
      `${name}_bucket{${labels},le="+Inf"} ${count}`,
      `${name}_sum{${labels}} ${sum}`,
      `${name}_count{${labels}} ${count}`,
    ]);
    return [
      `# HELP ${name} Until the answer began, of a stream until its first byte`,
      `# TYPE ${name} histogram`,
      ...lines,
    ];
  }
}

function add(counts: Map<string, number>, labels: Labels, amount: number): void {
  const name = labelsOf(labels);
  counts.set(name, (counts.get(name) ?? 0) + amount);
}

function labelsOf(labels: Labels): string {
  const escaped = (value: string) => value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(",");
}

function family(name: string, type: string, help: string, values: Map<string, number>): string[] {
  const lines = [...values].map(([labels, value]) => `${name}{${labels}} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines];
}

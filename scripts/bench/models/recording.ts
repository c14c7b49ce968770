/**
 * The kernels' share of a model's time, measured by doing their calls again without anything around them: a run is
 * recorded, call by call with its arguments, and then played back. Clocks around each call would cost as much as the
 * short ones. The way from JavaScript into WebAssembly counts as the kernels'; copies in memory, the search and the
 * tokenizer don't. Played back, kernels find the operands of the recorded run, which their time does not depend on.
 */
import { timeCalls } from "../clock.ts";

type Kernel = (...args: number[]) => unknown;

export interface Call {
  name: string;
  kernel: Kernel;
  /** Padded to MAX_ARGUMENTS; a kernel ignores what is too many. */
  args: number[];
}

/** What one kernel takes of a run. */
export interface KernelShare {
  name: string;
  calls: number;
  ms: number;
}

const MAX_ARGUMENTS = 16;

/**
 * Loads a model whose kernels note their calls.
 * @param load makes its WebAssembly instance while it runs
 * @returns the model, and the list of its calls, which grows
 */
export async function loadRecorded<T>(load: () => Promise<T>): Promise<{ model: T; calls: Call[] }> {
  const calls: Call[] = [];
  const { Instance } = WebAssembly;
  WebAssembly.Instance = recordingInstance(calls);
  try {
    return { model: await load(), calls };
  } finally {
    WebAssembly.Instance = Instance;
  }
}

/** Stands in for WebAssembly.Instance: its functions note each call before they make it. */
function recordingInstance(calls: Call[]): typeof WebAssembly.Instance {
  const { Instance } = WebAssembly;
  return class {
    readonly exports: WebAssembly.Exports;

    constructor(module: WebAssembly.Module, imports?: WebAssembly.Imports) {
      const wrapped: WebAssembly.Exports = {};
      for (const [name, value] of Object.entries(new Instance(module, imports).exports)) {
        wrapped[name] = typeof value === "function" ? recording(name, value as Kernel, calls) : value;
      }
      this.exports = wrapped;
    }
  } as typeof WebAssembly.Instance;
}

function recording(name: string, kernel: Kernel, calls: Call[]): Kernel {
  return (...args) => {
    const padded = args.concat(new Array(MAX_ARGUMENTS).fill(0)).slice(0, MAX_ARGUMENTS);
    calls.push({ name, kernel, args: padded });
    return kernel(...args);
  };
}

/** Arguments one by one: spreading them would cost more than the call. */
export function playBack(calls: readonly Call[]): void {
  for (const { kernel, args: a } of calls) {
    // biome-ignore format: one line reads better
    kernel(a[0]!, a[1]!, a[2]!, a[3]!, a[4]!, a[5]!, a[6]!, a[7]!, a[8]!, a[9]!, a[10]!, a[11]!, a[12]!, a[13]!, a[14]!, a[15]!);
  }
}

/** A run kernel by kernel, each played back without the others; most first. */
export function kernelShares(calls: readonly Call[], burstMs: number): KernelShare[] {
  const names = [...new Set(calls.map(({ name }) => name))];
  const groups = names.map((name) => calls.filter((call) => call.name === name));
  const play = groups.map((group) => () => playBack(group));
  timeCalls(play, burstMs);
  const times = timeCalls(play, burstMs);
  return names
    .map((name, i) => ({ name, calls: groups[i]!.length, ms: times[i]! }))
    .toSorted((a, b) => b.ms - a.ms);
}

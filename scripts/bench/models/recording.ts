/**
 * The kernels' share of a model's time, measured by doing their calls again without anything around them: a run is
 * recorded, call by call with its arguments, and then played back. Clocks around each call would cost as much as the
 * short ones. The way from JavaScript into WebAssembly counts as the kernels'; copies in memory, the search and the
 * tokenizer don't. Tables of addresses, which JavaScript writes between the calls, are written again and are in the figure.
 */
import { Runtime } from "../../../worker/engine/runtime.ts";
import { timeCalls } from "../clock.ts";

type Kernel = (...args: number[]) => unknown;

export interface Call {
  name: string;
  kernel: Kernel;
  /** Padded to MAX_ARGUMENTS; a kernel ignores what is too many. */
  args: number[];
}

/** What one kernel takes of a run; of matrix products, each shape for itself. */
export interface KernelShare {
  name: string;
  calls: number;
  ms: number;
  /** Multiply-adds of a product's calls. */
  macs?: number;
}

/** Whichever way it sums; its first three arguments are m, n and k. */
const isProduct = (name: string) => name.startsWith("qd8_f32_qc8w_gemm");
/** Runtime.writeInt, which writes the tables of addresses. */
const WRITE_INT = "writeInt";

const MAX_ARGUMENTS = 16;

/** A model whose kernels note their calls while `record` runs. */
export interface Recorded<T> {
  model: T;
  /** @returns the calls of one run */
  record(run: () => unknown): Promise<Call[]>;
}

/** @param load makes the model's WebAssembly instance while it runs */
export async function loadRecorded<T>(load: () => Promise<T>): Promise<Recorded<T>> {
  const calls: Call[] = [];
  const { Instance } = WebAssembly;
  WebAssembly.Instance = recordingInstance(calls);
  let model: T;
  try {
    model = await load();
  } finally {
    WebAssembly.Instance = Instance;
  }
  return {
    model,
    async record(run) {
      calls.length = 0;
      const { writeInt } = Runtime.prototype;
      Runtime.prototype.writeInt = function (this: Runtime, address, value) {
        calls.push({ name: WRITE_INT, kernel: (a, v) => writeInt.call(this, a!, v!), args: padded([address, value]) });
        writeInt.call(this, address, value);
      };
      try {
        await run();
      } finally {
        Runtime.prototype.writeInt = writeInt;
      }
      return calls.splice(0);
    },
  };
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
    calls.push({ name, kernel, args: padded(args) });
    return kernel(...args);
  };
}

function padded(args: number[]): number[] {
  return args.concat(new Array(MAX_ARGUMENTS).fill(0)).slice(0, MAX_ARGUMENTS);
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
  const groups = new Map<string, Call[]>();
  for (const call of calls) {
    const name = groupOf(call);
    const group = groups.get(name);
    if (group) group.push(call);
    else groups.set(name, [call]);
  }
  const shares = [...groups];
  const play = shares.map(
    ([, group]) =>
      () =>
        playBack(group),
  );
  // An activation works in place, so that what one kernel finds changes from turn to turn: the whole run restores it.
  const restore = () => playBack(calls);
  timeCalls(play, burstMs, restore);
  const times = timeCalls(play, burstMs, restore);
  return shares
    .map(([name, group], i): KernelShare => {
      const calls = group.filter((call) => call.name !== WRITE_INT).length;
      const share = { name, calls, ms: times[i]! };
      if (!isProduct(group[0]!.name)) return share;
      const [m, n, k] = group[0]!.args;
      return { ...share, macs: group.length * m! * n! * k! };
    })
    .toSorted((a, b) => b.ms - a.ms);
}

/** Products by their shapes; attention with the tables it is given, without which it would read elsewhere. */
function groupOf({ name, args: [m, n, k] }: Call): string {
  if (isProduct(name)) return `${name} m = ${m}, [${n}, ${k}]`;
  return name === WRITE_INT ? "f32_attention" : name;
}

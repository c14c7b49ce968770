/** CPU time of a child process, as Linux counts it; other systems have no figure. */
import { readdir, readFile } from "node:fs/promises";

/** @returns the ids of this process's children that run a program of this name; none where there is no /proc */
export async function childrenNamed(name: string): Promise<number[]> {
  const ids = (await readdir("/proc").catch(() => [])).filter((entry) => /^\d+$/.test(entry));
  const found: number[] = [];
  for (const id of ids) {
    // "pid (name) state ppid …"; the process may be gone by now.
    const stat = await readFile(`/proc/${id}/stat`, "utf8").catch(() => "");
    const [, program, parent] = /^\d+ \((.*)\) \S (\d+)/.exec(stat) ?? [];
    if (program === name && Number(parent) === process.pid) found.push(Number(id));
  }
  return found;
}

/** @returns milliseconds that all threads of the process have run */
export async function cpuMs(processId: number): Promise<number> {
  const tasks = await readdir(`/proc/${processId}/task`);
  const stats = await Promise.all(tasks.map((task) => readFile(`/proc/${processId}/task/${task}/schedstat`, "utf8")));
  return stats.reduce((sum, stat) => sum + Number(stat.split(" ")[0]) / 1e6, 0);
}

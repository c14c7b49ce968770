/** Processor time of this process so far, in ms: the clock on the wall says more of what else runs. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

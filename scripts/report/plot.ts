export async function writeLossPlot(_m: string, _o: string): Promise<void> {}

/** Linear axes of a chart: round ticks, and numbers to pixels. */

export interface Axis {
  /** The values that lie on the ends of the axis. */
  min: number;
  max: number;
  /** Round numbers from min to max. */
  ticks: number[];
  /** Text of a tick. */
  format(value: number): string;
  /** Pixel of a value. */
  place(value: number): number;
}

/**
 * An axis that holds all values.
 * @param values at least one; those that are no finite number are left out
 * @param pixels where min and max lie
 * @param options `count`: about how many ticks; `wholeNumbers`: no ticks between them
 */
export function linearAxis(
  values: number[],
  pixels: [number, number],
  options: { count?: number; wholeNumbers?: boolean } = {},
): Axis {
  const finite = values.filter(Number.isFinite);
  let low = Infinity;
  let high = -Infinity;
  for (const value of finite) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (finite.length === 0) [low, high] = [0, 1];
  if (low === high) [low, high] = low === 0 ? [0, 1] : [Math.min(0, low), Math.max(0, high)];
  const step = roundStep((high - low) / (options.count ?? 5), options.wholeNumbers ?? false);
  const min = Math.floor(low / step + 1e-9) * step;
  const max = Math.ceil(high / step - 1e-9) * step;
  const steps = Math.round((max - min) / step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return {
    min,
    max,
    ticks: Array.from({ length: steps + 1 }, (_, i) => Number((min + i * step).toFixed(digits))),
    format: (value) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }),
    place: (value) => pixels[0] + ((value - min) / (max - min)) * (pixels[1] - pixels[0]),
  };
}

/** The next of …, 0.1, 0.2, 0.5, 1, 2, 5, 10, … */
function roundStep(atLeast: number, wholeNumbers: boolean): number {
  const power = 10 ** Math.floor(Math.log10(atLeast));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= atLeast * 0.999)!;
  return wholeNumbers ? Math.max(1, step) : step;
}

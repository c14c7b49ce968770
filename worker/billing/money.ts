/**
 * Money: whole micro-units (1 / 1,000,000 of the currency), never fractions. One micro-US-dollar is the smallest unit of
 * USDC, so what a ledger holds and what a chain moves are the same number.
 *
 * Numbers, not bigints: JSON, SQLite and RPC carry them as they are. An amount stays below MAX_AMOUNT, a million units,
 * and a balance below 2^53 − 1 = 9,007,199,254,740,991, nine thousand such amounts, which the ledger's tables check.
 */

export const CURRENCY = "USD";
export const MICROS_PER_UNIT = 1_000_000;
/** Of one transfer. */
export const MAX_AMOUNT = 1_000_000 * MICROS_PER_UNIT;

/** @throws RangeError unless it is a whole number of micro-units in 0…MAX_AMOUNT */
export function checkAmount(micros: number): number {
  if (!Number.isSafeInteger(micros) || micros < 0 || micros > MAX_AMOUNT) {
    throw new RangeError(`amount: expected whole micro-units in 0…${MAX_AMOUNT}, got ${micros}`);
  }
  return micros;
}

/** 1234567 → "1.234567" */
export function formatMoney(micros: number): string {
  const sign = micros < 0 ? "-" : "";
  const digits = String(Math.abs(micros)).padStart(7, "0");
  return `${sign}${digits.slice(0, -6)}.${digits.slice(-6)}`;
}

/**
 * "12.5" → 12500000, digit by digit.
 * @throws RangeError unless it is a decimal number with at most six places, in 0…MAX_AMOUNT
 */
export function parseMoney(text: string): number {
  const match = /^(\d{1,7})(?:\.(\d{1,6}))?$/.exec(text);
  if (!match) throw new RangeError(`amount: expected a number such as 12.50, got ${JSON.stringify(text)}`);
  const [, units, places = ""] = match;
  return checkAmount(Number(units) * MICROS_PER_UNIT + Number(places.padEnd(6, "0")));
}

/**
 * Top-ups through Stripe Checkout: reads its webhook events (https://docs.stripe.com/webhooks), whose signatures the
 * `stripe` package checks. A checkout names the account as its `client_reference_id`, which a Payment Link takes from
 * its URL: https://buy.stripe.com/…?client_reference_id=acme. Amounts come in cents.
 *
 * Stripe sends an event until it is answered with 2xx, and may send it again after that: a checkout counts once, by its
 * own id, whether it is told of as completed or as paid later; a refund counts once for each sum that it comes to.
 */
import type Stripe from "stripe";
import type { Env } from "../env.ts";
import { Problem } from "../errors.ts";
import { logError } from "../log.ts";
import { directoryOf, ledgerOf } from "./directory.ts";
import { ACCOUNT_PATTERN } from "./keys.ts";
import { CURRENCY, formatMoney, MICROS_PER_UNIT } from "./money.ts";

const MICROS_PER_CENT = MICROS_PER_UNIT / 100;

/** What became of an event, for Stripe's dashboard. */
export type StripeOutcome = "counted" | "known" | "ignored";

/**
 * @param body as it came, byte for byte
 * @throws Problem invalid_signature
 */
export async function readStripeEvent(body: string, signature: string, secret: string): Promise<Stripe.Event> {
  // Half as large as all the rest of the Worker's code: evaluated when the first event comes.
  const { default: StripeClient } = await import("stripe");
  const crypto = StripeClient.createSubtleCryptoProvider();
  try {
    return await StripeClient.webhooks.constructEventAsync(body, signature, secret, undefined, crypto);
  } catch (error) {
    if (error instanceof SyntaxError) throw new Problem("malformed_request", "expected a JSON event");
    throw new Problem(
      "invalid_signature",
      "stripe-signature: expected one made with STRIPE_WEBHOOK_SECRET in the last 5 minutes",
    );
  }
}

/** @throws Problem unknown_account, so that Stripe tries again and shows it to the operator */
export function countStripeEvent(env: Env, event: Stripe.Event): Promise<StripeOutcome> {
  switch (event.type) {
    case "checkout.session.completed":
    case "checkout.session.async_payment_succeeded":
      return countCheckout(env, event.data.object);
    case "charge.refunded":
      return countRefund(env, event.data.object);
    default:
      return Promise.resolve("ignored");
  }
}

async function countCheckout(env: Env, session: Stripe.Checkout.Session): Promise<StripeOutcome> {
  const { id, client_reference_id: account, payment_status, amount_total, currency, payment_intent } = session;
  // Of a bank transfer, the money comes days later, with an event of its own.
  if (payment_status !== "paid") return "ignored";
  if (account === null || !ACCOUNT_PATTERN.test(account)) {
    throw new Problem("unknown_account", `client_reference_id: expected an account, got ${JSON.stringify(account)}`);
  }
  if (currency?.toUpperCase() !== CURRENCY || !amount_total) {
    throw new Problem("malformed_request", `expected a sum in ${CURRENCY}, got ${amount_total} ${currency}`);
  }
  const ledger = ledgerOf(env, account);
  if (!(await ledger.overview())) throw new Problem("unknown_account", `there is no account ${account}`);
  // First whose it is: a refund finds nothing else.
  if (payment_intent) await directoryOf(env).notePayment(idOf(payment_intent), account);
  return (await ledger.topUp("stripe", id, amount_total * MICROS_PER_CENT)) ? "counted" : "known";
}

async function countRefund(env: Env, charge: Stripe.Charge): Promise<StripeOutcome> {
  const { payment_intent, amount_refunded } = charge;
  const account = payment_intent && (await directoryOf(env).accountOfPayment(idOf(payment_intent)));
  // A charge of another product of the same seller.
  if (!account) return "ignored";
  const micros = amount_refunded * MICROS_PER_CENT;
  // Stripe tells what was refunded of the charge in all, not what it was this time.
  const taken = await ledgerOf(env, account).refund("stripe", charge.id, micros);
  if (taken === undefined) return "known";
  if (taken.missing > 0) {
    logError(`stripe: ${formatMoney(taken.missing)} ${CURRENCY} refunded to ${account} were spent already`);
  }
  return "counted";
}

function idOf(object: string | { id: string }): string {
  return typeof object === "string" ? object : object.id;
}

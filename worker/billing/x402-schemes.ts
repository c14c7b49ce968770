/**
 * The two x402 schemes for EVM chains, as they are offered and as they are signed
 * (https://github.com/x402-foundation/x402/tree/main/specs/schemes):
 *
 * - `exact`: the payer signs an EIP-3009 transfer of the price.
 * - `upto`: the payer signs a Permit2 transfer of the price at most, and what was used of it is settled. As a price
 *   depends on the source text alone, that is the whole price of every answer in one piece, and of a stream that was sent
 *   to its end; of a stream that the reader left, it is the price of what was sent. The payer's wallet must have
 *   approved Permit2 for the token, once. Whether its money is still there at the end of a stream is the seller's risk,
 *   who keeps back no more than the last event.
 */
import { decodePaymentSignatureHeader } from "@x402/core/http";
import type { PaymentPayload, PaymentRequirements } from "@x402/core/types";
import { z } from "zod";
import type { X402Settings } from "../env.ts";
import { Problem } from "../errors.ts";
import { describeIssues } from "../model/config.ts";

/** How long a signed payment must be good for, which covers the work and its settlement. */
const MAX_TIMEOUT_SECONDS = 300;
/** What must be left of that: enough to settle in, and for `upto`, which is settled after it, for a long stream as well. */
const MIN_LEFT_SECONDS = { exact: 20, upto: 120 };

export type Scheme = keyof typeof MIN_LEFT_SECONDS;

const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^0x[0-9a-fA-F]{${2 * bytes}}$`), `expected ${bytes} bytes as 0x…`);
/** Without leading zeros, so that a nonce is written in one way only. */
const integer = z.string().regex(/^(0|[1-9]\d{0,77})$/, "expected a whole number in digits");
const signature = z.string().regex(/^0x[0-9a-fA-F]{130,}$/, "expected a signature as 0x…");

const paymentSchema = z.looseObject({
  x402Version: z.literal(2),
  accepted: z.looseObject({
    scheme: z.enum(["exact", "upto"]),
    network: z.string(),
    amount: z.string(),
    asset: z.string(),
    payTo: z.string(),
    maxTimeoutSeconds: z.number(),
  }),
  payload: z.looseObject({}),
  extensions: z
    .looseObject({
      "payment-identifier": z
        .looseObject({
          info: z.looseObject({
            id: z
              .string()
              .regex(/^[\w-]{16,128}$/)
              .optional(),
          }),
        })
        .optional(),
    })
    .nullish(),
});

const exactSchema = z.strictObject({
  signature,
  authorization: z.strictObject({
    from: hex(20),
    to: hex(20),
    value: integer,
    validAfter: integer,
    validBefore: integer,
    nonce: hex(32),
  }),
});

const uptoSchema = z.strictObject({
  signature,
  permit2Authorization: z.strictObject({
    from: hex(20),
    permitted: z.strictObject({ token: hex(20), amount: integer }),
    spender: hex(20),
    nonce: integer,
    deadline: integer,
    witness: z.strictObject({ to: hex(20), facilitator: hex(20), validAfter: integer }),
  }),
});

/** What a payer signed, whatever the scheme. */
export interface SignedPayment {
  scheme: Scheme;
  accepted: z.infer<typeof paymentSchema>["accepted"];
  /** The payer's own name for it. */
  identifier: string | undefined;
  from: string;
  to: string;
  amount: bigint;
  /** EIP-3009 has it in the signature's domain. */
  token: string | undefined;
  validAfterSeconds: bigint;
  validBeforeSeconds: bigint;
  /** 0x and 64 hex digits, or of `upto` a decimal number. */
  nonce: string;
  /** Who may settle it, if the payer said. */
  facilitator: string | undefined;
  /** As it came. */
  message: PaymentPayload;
}

/** @param header PAYMENT-SIGNATURE. @throws Problem malformed_request */
export function readPayment(header: string): SignedPayment {
  let message: PaymentPayload;
  try {
    message = decodePaymentSignatureHeader(header);
  } catch {
    throw new Problem("malformed_request", "payment-signature: expected base64 of a JSON object");
  }
  const { accepted, payload, extensions } = parse(paymentSchema, message, "");
  const common = { accepted, identifier: extensions?.["payment-identifier"]?.info.id, message };
  if (accepted.scheme === "exact") {
    const { from, to, value, validAfter, validBefore, nonce } = parse(exactSchema, payload, "payload: ").authorization;
    return {
      ...common,
      scheme: "exact",
      ...{ from, to, token: undefined, facilitator: undefined },
      amount: BigInt(value),
      validAfterSeconds: BigInt(validAfter),
      validBeforeSeconds: BigInt(validBefore),
      nonce: nonce.toLowerCase(),
    };
  }
  const { from, permitted, nonce, deadline, witness } = parse(uptoSchema, payload, "payload: ").permit2Authorization;
  return {
    ...common,
    scheme: "upto",
    ...{ from, to: witness.to, token: permitted.token, facilitator: witness.facilitator, nonce },
    amount: BigInt(permitted.amount),
    validAfterSeconds: BigInt(witness.validAfter),
    validBeforeSeconds: BigInt(deadline),
  };
}

function parse<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new Problem("malformed_request", `payment-signature: ${where}${describeIssues(result.error)}`);
}

/**
 * What is asked for, in the protocol's words.
 * @param amount micro-units; of `upto` the most
 * @param facilitator who settles it, for `upto`
 */
export function requirementsOf(
  scheme: Scheme,
  amount: number,
  settings: X402Settings,
  facilitator: string | undefined,
): PaymentRequirements {
  const permit2 = { assetTransferMethod: "permit2", facilitatorAddress: facilitator };
  return {
    scheme,
    network: settings.network,
    amount: String(amount),
    asset: settings.asset,
    payTo: settings.payTo,
    maxTimeoutSeconds: MAX_TIMEOUT_SECONDS,
    extra: { name: settings.assetName, version: settings.assetVersion, ...(scheme === "upto" ? permit2 : {}) },
  };
}

/** What is wrong with a payment that can be seen without asking anybody. The facilitator checks the same, and more. */
export function faultOf(payment: SignedPayment, expected: PaymentRequirements): string | undefined {
  const { scheme, accepted, to, amount, token, validAfterSeconds, validBeforeSeconds } = payment;
  for (const name of ["network", "amount", "asset", "payTo", "maxTimeoutSeconds"] as const) {
    if (accepted[name] !== expected[name]) {
      return `accepted.${name}: expected ${expected[name]}, got ${JSON.stringify(accepted[name])}`;
    }
  }
  if (!sameAddress(to, expected.payTo)) return `recipient that was signed: expected ${expected.payTo}, got ${to}`;
  if (amount !== BigInt(expected.amount)) return `amount that was signed: expected ${expected.amount}, got ${amount}`;
  if (token !== undefined && !sameAddress(token, expected.asset)) {
    return `token that was signed: expected ${expected.asset}, got ${token}`;
  }
  const nowSeconds = BigInt(Math.floor(Date.now() / 1000));
  if (validAfterSeconds > nowSeconds) return `it is valid only after ${validAfterSeconds}, now is ${nowSeconds}`;
  const left = MIN_LEFT_SECONDS[scheme];
  if (validBeforeSeconds < nowSeconds + BigInt(left)) {
    return `expected it to be valid for ${left} s from now or more; it is until ${validBeforeSeconds}, now is ${nowSeconds}`;
  }
  return undefined;
}

function sameAddress(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

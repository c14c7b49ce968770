/**
 * Permit2 and x402's proxy for `upto` before it, on the chain of our own: what
 * https://github.com/Uniswap/permit2/blob/main/src/SignatureTransfer.sol and x402UptoPermit2Proxy check and do, in their
 * order and with the names of their errors. An owner's nonce is good once.
 */
import { PERMIT2_ADDRESS, uptoPermit2WitnessTypes, x402UptoPermit2ProxyAddress } from "@x402/evm";
import { type Hex, recoverTypedDataAddress } from "viem";
import type { LocalToken } from "./local-token.ts";

/** As the proxy's `settle` has them. */
export type SettleArgs = readonly [
  permit: { permitted: { token: Hex; amount: bigint }; nonce: bigint; deadline: bigint },
  amount: bigint,
  owner: Hex,
  witness: { to: Hex; facilitator: Hex; validAfter: bigint },
  signature: Hex,
];

const NOBODY = /^0x0{40}$/;

export class LocalPermit2 {
  readonly #token: LocalToken;
  readonly #chainId: number;
  readonly #usedNonces = new Set<string>();

  constructor(token: LocalToken, chainId: number) {
    this.#token = token;
    this.#chainId = chainId;
  }

  /** @param sender of the transaction. @throws Error as the contracts revert */
  async check([permit, amount, owner, witness, signature]: SettleArgs, sender: string): Promise<void> {
    const { permitted, nonce, deadline } = permit;
    const nowSeconds = BigInt(Math.floor(Date.now() / 1000));
    if (sender.toLowerCase() !== witness.facilitator.toLowerCase()) throw new Error("UnauthorizedFacilitator");
    if (amount > permitted.amount) throw new Error("AmountExceedsPermitted");
    if (NOBODY.test(owner)) throw new Error("InvalidOwner");
    if (NOBODY.test(witness.to)) throw new Error("InvalidDestination");
    if (nowSeconds < witness.validAfter) throw new Error("PaymentTooEarly");
    if (nowSeconds > deadline) throw new Error("SignatureExpired");
    if (this.#usedNonces.has(nonceKey(owner, nonce))) throw new Error("InvalidNonce");
    const signer = await recoverTypedDataAddress({
      domain: { name: "Permit2", chainId: this.#chainId, verifyingContract: PERMIT2_ADDRESS },
      types: uptoPermit2WitnessTypes,
      primaryType: "PermitWitnessTransferFrom",
      message: { permitted, spender: x402UptoPermit2ProxyAddress, nonce, deadline, witness },
      signature,
    });
    if (signer.toLowerCase() !== owner.toLowerCase()) throw new Error("InvalidSigner");
    if (permitted.token.toLowerCase() !== this.#token.address.toLowerCase()) throw new Error("there is no such token");
    if (this.#token.permit2Allowance(owner) < amount) throw new Error("ERC20InsufficientAllowance");
    this.#token.checkBalance(owner, amount);
  }

  async settle(args: SettleArgs, sender: string): Promise<void> {
    await this.check(args, sender);
    const [{ nonce }, amount, owner, { to }] = args;
    // Another settlement may have come while the signature was checked.
    if (this.#usedNonces.has(nonceKey(owner, nonce))) throw new Error("InvalidNonce");
    this.#usedNonces.add(nonceKey(owner, nonce));
    this.#token.approvePermit2(owner, this.#token.permit2Allowance(owner) - amount);
    this.#token.move(owner, to, amount);
  }
}

function nonceKey(owner: string, nonce: bigint): string {
  return `${owner.toLowerCase()}/${nonce}`;
}

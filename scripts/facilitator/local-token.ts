/**
 * A token on a chain of our own, in this process's memory: balances, EIP-3009 authorizations, and how much of its money
 * an owner lets Permit2 move. Every address starts with the same amount, and has approved Permit2 for all of it, as a
 * wallet does once with a transaction of its own.
 */
import type { Hex } from "viem";

export interface LocalTokenOptions {
  /** The token's contract, and its EIP-712 domain. */
  address: string;
  name: string;
  version: string;
  /** What every address has at first, in the token's smallest unit. */
  startBalance: bigint;
}

/** As `transferWithAuthorization` has them. */
export type AuthorizationArgs = readonly [Hex, Hex, bigint, bigint, bigint, Hex];

export class LocalToken {
  readonly address: string;
  readonly name: string;
  readonly version: string;
  readonly #startBalance: bigint;
  readonly #balances = new Map<string, bigint>();
  readonly #permit2Allowances = new Map<string, bigint>();
  readonly #usedNonces = new Set<string>();
  /** How often money was moved. */
  transfers = 0;

  constructor({ address, name, version, startBalance }: LocalTokenOptions) {
    this.address = address;
    this.name = name;
    this.version = version;
    this.#startBalance = startBalance;
  }

  balanceOf(owner: string): bigint {
    return this.#balances.get(owner.toLowerCase()) ?? this.#startBalance;
  }

  permit2Allowance(owner: string): bigint {
    return this.#permit2Allowances.get(owner.toLowerCase()) ?? this.#startBalance;
  }

  approvePermit2(owner: string, amount: bigint): void {
    this.#permit2Allowances.set(owner.toLowerCase(), amount);
  }

  /** @throws Error as the contract reverts */
  move(from: string, to: string, amount: bigint): void {
    this.checkBalance(from, amount);
    this.#balances.set(from.toLowerCase(), this.balanceOf(from) - amount);
    this.#balances.set(to.toLowerCase(), this.balanceOf(to) + amount);
    this.transfers++;
  }

  checkBalance(owner: string, amount: bigint): void {
    if (this.balanceOf(owner) < amount) throw new Error("ERC20InsufficientBalance");
  }

  isAuthorizationUsed(from: string, nonce: string): boolean {
    return this.#usedNonces.has(`${from}/${nonce}`.toLowerCase());
  }

  /** @throws Error as the contract reverts */
  checkAuthorization([from, , value, validAfter, validBefore, nonce]: AuthorizationArgs): void {
    const nowSeconds = BigInt(Math.floor(Date.now() / 1000));
    if (validAfter > nowSeconds) throw new Error("AuthorizationNotYetValid");
    if (validBefore <= nowSeconds) throw new Error("AuthorizationExpired");
    if (this.isAuthorizationUsed(from, nonce)) throw new Error("AuthorizationUsedOrCanceled");
    this.checkBalance(from, value);
  }

  transferWithAuthorization(args: AuthorizationArgs): void {
    this.checkAuthorization(args);
    const [from, to, value, , , nonce] = args;
    this.#usedNonces.add(`${from}/${nonce}`.toLowerCase());
    this.move(from, to, value);
  }
}

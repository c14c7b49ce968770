/**
 * A token on a chain of our own, in this process's memory: what a facilitator needs of the EVM to check and to move
 * EIP-3009 authorizations. Signatures are checked for real, by @x402/evm; only the money is made up. Every address
 * starts with the same amount.
 */
import { authorizationTypes, eip3009ABI, type FacilitatorEvmSigner } from "@x402/evm";
import { decodeFunctionData, encodeFunctionResult, type Hex, recoverTypedDataAddress, toHex } from "viem";

export interface LocalTokenOptions {
  /** The token's contract, and its EIP-712 domain. */
  address: string;
  name: string;
  version: string;
  chainId: number;
  /** What every address has at first, in the token's smallest unit. */
  startBalance: bigint;
}

export interface LocalToken {
  /** The chain, as a facilitator sees it. */
  signer: FacilitatorEvmSigner;
  balanceOf: (address: string) => bigint;
  /** How many authorizations were settled. */
  transfers: () => number;
}

/** Whose transactions they are; nobody holds its key, and nothing here asks for one. */
const FACILITATOR = "0xFAC1117a70000000000000000000000000000402";

type TransferArgs = readonly [Hex, Hex, bigint, bigint, bigint, Hex, ...unknown[]];

export function makeLocalToken({ address, name, version, chainId, startBalance }: LocalTokenOptions): LocalToken {
  const balances = new Map<string, bigint>();
  const usedNonces = new Set<string>();
  const balanceOf = (of: string) => balances.get(of.toLowerCase()) ?? startBalance;
  const nonceKey = (from: string, nonce: string) => `${from}/${nonce}`.toLowerCase();

  const check = ([from, , value, validAfter, validBefore, nonce]: TransferArgs) => {
    const nowSeconds = BigInt(Math.floor(Date.now() / 1000));
    if (validAfter > nowSeconds) throw new Error("AuthorizationNotYetValid");
    if (validBefore <= nowSeconds) throw new Error("AuthorizationExpired");
    if (usedNonces.has(nonceKey(from, nonce))) throw new Error("AuthorizationUsedOrCanceled");
    if (balanceOf(from) < value) throw new Error("ERC20InsufficientBalance");
  };
  const transfer = (args: TransferArgs) => {
    check(args);
    const [from, to, value, , , nonce] = args;
    usedNonces.add(nonceKey(from, nonce));
    balances.set(from.toLowerCase(), balanceOf(from) - value);
    balances.set(to.toLowerCase(), balanceOf(to) + value);
  };
  const read = (functionName: string, args: readonly unknown[]): unknown => {
    switch (functionName) {
      case "balanceOf":
        return balanceOf(args[0] as string);
      case "name":
        return name;
      case "version":
        return version;
      case "authorizationState":
        return usedNonces.has(nonceKey(args[0] as string, args[1] as string));
      case "transferWithAuthorization":
        return check(args as TransferArgs);
      default:
        throw new Error(`the local token has no function ${functionName}`);
    }
  };
  /** Multicall3's `tryAggregate`, by which a facilitator finds out why a transfer fails. */
  const aggregate = (calls: readonly { callData: Hex }[]) =>
    calls.map(({ callData }) => {
      const { functionName, args = [] } = decodeFunctionData({ abi: eip3009ABI, data: callData });
      try {
        const result = read(functionName, args as readonly unknown[]);
        return { success: true, returnData: encodeFunctionResult({ abi: eip3009ABI, functionName, result } as never) };
      } catch {
        return { success: false, returnData: "0x" };
      }
    });

  const signer: FacilitatorEvmSigner = {
    getAddresses: () => [FACILITATOR],
    getCode: async ({ address: of }) => (of.toLowerCase() === address.toLowerCase() ? "0x01" : undefined),
    readContract: async ({ functionName, args = [] }) =>
      functionName === "tryAggregate" ? aggregate(args[1] as readonly { callData: Hex }[]) : read(functionName, args),
    verifyTypedData: async ({ address: of, message, signature }) => {
      const domain = { name, version, chainId, verifyingContract: address as Hex };
      const typed = { domain, types: authorizationTypes, primaryType: "TransferWithAuthorization" } as const;
      const recovered = await recoverTypedDataAddress({ ...typed, message, signature } as never);
      return recovered.toLowerCase() === of.toLowerCase();
    },
    writeContract: async ({ functionName, args }) => {
      if (functionName !== "transferWithAuthorization")
        throw new Error(`the local token does not write ${functionName}`);
      transfer(args as TransferArgs);
      return toHex(crypto.getRandomValues(new Uint8Array(32)));
    },
    sendTransaction: async () => {
      throw new Error("the local chain takes no other transactions");
    },
    waitForTransactionReceipt: async () => ({ status: "success" }),
  };
  return { signer, balanceOf, transfers: () => usedNonces.size };
}

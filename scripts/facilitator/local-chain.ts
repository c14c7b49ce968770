/**
 * A chain of our own, in this process's memory: what a facilitator reads and writes on the EVM to check and to settle
 * payments by `exact` (EIP-3009) and `upto` (Permit2). Signatures are checked for real, by @x402/evm and by the contracts'
 * stand-ins; only the money is made up.
 */
import {
  eip3009ABI,
  erc20AllowanceAbi,
  type FacilitatorEvmSigner,
  PERMIT2_ADDRESS,
  x402UptoPermit2ProxyABI,
  x402UptoPermit2ProxyAddress,
} from "@x402/evm";
import { decodeFunctionData, encodeFunctionResult, type Hex, recoverTypedDataAddress, toHex } from "viem";
import { LocalPermit2, type SettleArgs } from "./local-permit2.ts";
import { type AuthorizationArgs, LocalToken, type LocalTokenOptions } from "./local-token.ts";

export interface LocalChain {
  /** The chain, as a facilitator sees it. */
  signer: FacilitatorEvmSigner;
  token: LocalToken;
}

/** Whose transactions they are; nobody holds its key, and nothing here asks for one. */
const FACILITATOR = "0xFAC1117a70000000000000000000000000000402";

const ABI = [...eip3009ABI, ...erc20AllowanceAbi, ...x402UptoPermit2ProxyABI];

interface Call {
  address: string;
  functionName: string;
  args?: readonly unknown[];
}

export function makeLocalChain({ chainId, ...options }: LocalTokenOptions & { chainId: number }): LocalChain {
  const token = new LocalToken(options);
  const permit2 = new LocalPermit2(token, chainId);
  const contracts = new Set([token.address, PERMIT2_ADDRESS, x402UptoPermit2ProxyAddress].map(lowerCase));

  const readToken = (functionName: string, args: readonly unknown[]): unknown => {
    switch (functionName) {
      case "balanceOf":
        return token.balanceOf(args[0] as string);
      case "allowance":
        return lowerCase(args[1] as string) === lowerCase(PERMIT2_ADDRESS)
          ? token.permit2Allowance(args[0] as string)
          : 0n;
      case "name":
        return token.name;
      case "version":
        return token.version;
      case "authorizationState":
        return token.isAuthorizationUsed(args[0] as string, args[1] as string);
      case "transferWithAuthorization":
        return token.checkAuthorization(args as unknown as AuthorizationArgs);
      default:
        throw new Error(`the local token has no function ${functionName}`);
    }
  };
  const read = async ({ address, functionName, args = [] }: Call): Promise<unknown> => {
    if (functionName === "tryAggregate") return aggregate(args[1] as readonly { target: Hex; callData: Hex }[]);
    if (lowerCase(address) === lowerCase(token.address)) return readToken(functionName, args);
    if (lowerCase(address) !== lowerCase(x402UptoPermit2ProxyAddress)) throw new Error(`nothing is at ${address}`);
    if (functionName === "PERMIT2") return PERMIT2_ADDRESS;
    if (functionName === "settle") return permit2.check(args as unknown as SettleArgs, FACILITATOR);
    throw new Error(`the local proxy has no function ${functionName}`);
  };
  /** Multicall3's `tryAggregate`, by which a facilitator finds out why a payment fails. */
  const aggregate = (calls: readonly { target: Hex; callData: Hex }[]) =>
    Promise.all(
      calls.map(async ({ target: address, callData: data }) => {
        const { functionName, args = [] } = decodeFunctionData({ abi: ABI, data });
        try {
          const result = await read({ address, functionName, args: args as readonly unknown[] });
          return { success: true, returnData: encodeFunctionResult({ abi: ABI, functionName, result } as never) };
        } catch {
          return { success: false, returnData: "0x" };
        }
      }),
    );

  const signer: FacilitatorEvmSigner = {
    getAddresses: () => [FACILITATOR],
    getCode: async ({ address }) => (contracts.has(lowerCase(address)) ? "0x01" : undefined),
    readContract: read,
    verifyTypedData: async ({ address, ...typed }) =>
      lowerCase(await recoverTypedDataAddress(typed as never)) === lowerCase(address),
    writeContract: async ({ address, functionName, args }) => {
      if (functionName === "settle" && lowerCase(address) === lowerCase(x402UptoPermit2ProxyAddress)) {
        await permit2.settle(args as unknown as SettleArgs, FACILITATOR);
      } else if (functionName === "transferWithAuthorization" && lowerCase(address) === lowerCase(token.address)) {
        token.transferWithAuthorization(args as unknown as AuthorizationArgs);
      } else throw new Error(`the local chain does not write ${functionName} at ${address}`);
      return toHex(crypto.getRandomValues(new Uint8Array(32)));
    },
    sendTransaction: async () => {
      throw new Error("the local chain takes no other transactions");
    },
    waitForTransactionReceipt: async () => ({ status: "success" }),
  };
  return { signer, token };
}

function lowerCase(address: string): string {
  return address.toLowerCase();
}

/**
 * Secrets at rest: AES-256-GCM under a key that HKDF derives from HOOKS_KEY.
 *
 * HOOKS_KEY is a secret of its own and not derived from ADMIN_KEY: an operator changes the key to the API when someone
 * leaves, and that must not make every sender's secret unreadable. A sealed secret names the hook it belongs to
 * (additional data), so that one cannot be put in another's place.
 */
import { Problem } from "../errors.ts";

const encoder = new TextEncoder();
const SEAL_VERSION = "v1";
const IV_BYTES = 12;

/** Derivation costs more than the cipher, and the key is the same for the life of the isolate. */
const sealKeys = new Map<string, Promise<CryptoKey>>();

function sealKey(hooksKey: string): Promise<CryptoKey> {
  let key = sealKeys.get(hooksKey);
  if (!key) {
    key = importHkdf(encoder.encode(hooksKey)).then((base) =>
      crypto.subtle.deriveKey(hkdf("edge-slm hooks: secrets at rest"), base, { name: "AES-GCM", length: 256 }, false, [
        "encrypt",
        "decrypt",
      ]),
    );
    sealKeys.set(hooksKey, key);
  }
  return key;
}

function importHkdf(bytes: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", bytes, "HKDF", false, ["deriveKey", "deriveBits"]);
}

function hkdf(info: string) {
  return { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: encoder.encode(info) };
}

/** @throws Problem hooks_disabled if the Worker has no HOOKS_KEY */
export function requireHooksKey(hooksKey: string | undefined): string {
  if (hooksKey !== undefined) return hooksKey;
  throw new Problem(
    "hooks_disabled",
    "the Worker has no HOOKS_KEY, which encrypts the hooks' secrets; set one with `wrangler secret put HOOKS_KEY`, " +
      "or HOOKS_KEY=… in .dev.vars locally",
  );
}

/** @returns `v1.<iv>.<ciphertext>` in base64 */
export async function seal(secret: string, hookId: string, hooksKey: string): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const algorithm = { name: "AES-GCM", iv, additionalData: encoder.encode(hookId) };
  const sealed = await crypto.subtle.encrypt(algorithm, await sealKey(hooksKey), encoder.encode(secret));
  return [SEAL_VERSION, iv.toBase64(), new Uint8Array(sealed).toBase64()].join(".");
}

/** @throws Error if HOOKS_KEY is not the one it was sealed with */
export async function unseal(sealed: string, hookId: string, hooksKey: string): Promise<string> {
  const [version, iv = "", text = ""] = sealed.split(".");
  if (version !== SEAL_VERSION) throw new Error(`unseal: expected version ${SEAL_VERSION}, got ${version}`);
  const algorithm = { name: "AES-GCM", iv: Uint8Array.fromBase64(iv), additionalData: encoder.encode(hookId) };
  const key = await sealKey(hooksKey);
  const bytes = await crypto.subtle.decrypt(algorithm, key, Uint8Array.fromBase64(text)).catch((cause) => {
    throw new Error(`hook ${hookId}: its secrets were encrypted under another HOOKS_KEY`, { cause });
  });
  return new TextDecoder().decode(bytes);
}

/** SHA-256 in hex: what is kept of a secret that is only ever compared. */
export async function digestOf(secret: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(secret))).toHex();
}

export function randomSecret(bytes = 32): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(bytes));
}

/**
 * The signing secret of a destination, each its own, so that one receiver cannot speak to another in our name.
 * @param seed of the hook, in base64
 * @returns as Standard Webhooks writes it: `whsec_` and 32 bytes in base64
 */
export async function signingSecret(seed: string, destination: string): Promise<string> {
  const base = await importHkdf(Uint8Array.fromBase64(seed));
  const bits = await crypto.subtle.deriveBits(hkdf(`edge-slm hooks: destination ${destination}`), base, 256);
  return `whsec_${new Uint8Array(bits).toBase64()}`;
}

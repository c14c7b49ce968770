/**
 * API keys: `esk_<account>_<key id>_<secret>`. The account is in the key, so that the account's own Durable Object
 * checks it: one hop, where a directory of hashes would be two, the first of them to a single place far away from
 * most callers. It tells a finder whose key it is, which is no secret; without the 160 random bits it opens nothing.
 *
 * Only a SHA-256 is stored. A secret of 160 random bits cannot be guessed, so a slow hash would protect nothing more.
 */

export const SCOPES = ["translate", "classify", "embed", "answer", "recommend", "usage"] as const;
export type Scope = (typeof SCOPES)[number];

export const ACCOUNT_PATTERN = /^[a-z0-9][a-z0-9-]{0,31}$/;
const KEY_PATTERN = /^esk_([a-z0-9][a-z0-9-]{0,31})_([a-z2-7]{8})_([a-z2-7]{32})$/;

export interface KeyReference {
  account: string;
  keyId: string;
  /** SHA-256 of the whole key. */
  hash: Uint8Array;
}

/** A new key. @returns its text, to be shown once, and what is stored of it */
export async function makeKey(account: string): Promise<{ key: string } & KeyReference> {
  const keyId = randomText(8);
  const key = `esk_${account}_${keyId}_${randomText(32)}`;
  return { key, account, keyId, hash: await hashKey(key) };
}

/** @returns undefined if it does not have the form of a key */
export async function readKey(text: string): Promise<KeyReference | undefined> {
  const match = KEY_PATTERN.exec(text);
  return match ? { account: match[1]!, keyId: match[2]!, hash: await hashKey(text) } : undefined;
}

async function hashKey(key: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key)));
}

/** RFC 4648's base32 alphabet in lower case: five random bits a character. */
const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

function randomText(length: number): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => ALPHABET[byte & 31]).join("");
}

/**
 * Signs an event as its sender does, with WebCrypto; the Worker's hooks/signatures.ts, which names the sources, checks it.
 */

/** @typedef {"standard" | "github" | "stripe"} Kind */

const encoder = new TextEncoder();

/** @param {Uint8Array} bytes */
const toHex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
/** @param {Uint8Array} bytes */
const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));

/**
 * @param {Uint8Array<ArrayBuffer>} key
 * @param {string} content
 */
async function hmacSha256(key, content) {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, encoder.encode(content)));
}

/**
 * @param {Kind} kind
 * @param {string} secret
 * @param {string} body
 * @returns {Promise<Record<string, string>>} the headers of the request
 * @throws {Error} if a secret of Standard Webhooks is not base64
 */
export async function signEvent(kind, secret, body) {
  const seconds = String(Math.floor(Date.now() / 1000));
  const id = crypto.randomUUID();
  switch (kind) {
    case "standard": {
      const key = Uint8Array.from(atob(secret.replace(/^whsec_/, "")), (character) => character.charCodeAt(0));
      const signature = toBase64(await hmacSha256(key, `msg_${id}.${seconds}.${body}`));
      return { "webhook-id": `msg_${id}`, "webhook-timestamp": seconds, "webhook-signature": `v1,${signature}` };
    }
    case "github":
      return {
        "x-github-event": "issues",
        "x-github-delivery": id,
        "x-hub-signature-256": `sha256=${toHex(await hmacSha256(encoder.encode(secret), body))}`,
      };
    case "stripe": {
      const signature = toHex(await hmacSha256(encoder.encode(secret), `${seconds}.${body}`));
      return { "stripe-signature": `t=${seconds},v1=${signature}` };
    }
  }
}

/** @param {Kind} kind @returns {string} a secret in the sender's form */
export function makeSecret(kind) {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return kind === "standard" ? `whsec_${toBase64(bytes)}` : kind === "stripe" ? `whsec_${toHex(bytes)}` : toHex(bytes);
}

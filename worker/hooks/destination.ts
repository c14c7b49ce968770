/**
 * Where a delivery may go: not into anybody's private network (server-side request forgery).
 *
 * - The URL: https, no credentials, no name that only a private network knows, no literal address but a public one. The
 *   URL parser has already brought decimal, octal and hexadecimal forms of an address into the usual one.
 * - The name: its addresses are looked up through DNS-over-HTTPS (HOOKS_DNS_URL) before each delivery, and all have to
 *   be public. A Worker cannot resolve names itself nor choose the address that `fetch` connects to, so this is a check
 *   and no guarantee against a name that changes between the two. At the edge there is no private network to reach:
 *   `global_fetch_strictly_public` (wrangler.toml) keeps our own zone's inside out of reach as well, and a workerd of
 *   one's own refuses private addresses when it connects (`network = ( allow = ["public"] )`).
 * - HOOKS_ALLOW_LOOPBACK lets a developer deliver to this machine, over http too.
 */
import ipaddr from "ipaddr.js";
import type { Settings } from "../env.ts";

export type DestinationSettings = Pick<Settings, "allowLoopback" | "dnsUrl">;

/** RFC 6761, RFC 6762, RFC 8375, and what clouds and offices use. */
const PRIVATE_NAMES = /(^|\.)(localhost|local|internal|intranet|private|corp|home|lan|home\.arpa|test|invalid|onion)$/;
const DNS_TIMEOUT_MS = 5000;
/** Seconds that an answer is believed at least and at most, whatever its own time to live. */
const MIN_TTL_SECONDS = 10;
const MAX_TTL_SECONDS = 300;
const MAX_KNOWN_NAMES = 1000;

/** @returns why nothing may be sent there, or undefined */
export function refuseUrl(text: string, { allowLoopback }: DestinationSettings): string | undefined {
  const url = URL.parse(text);
  if (!url) return "expected a URL";
  const host = hostOf(url);
  const isLoopback = host === "localhost" || host.endsWith(".localhost") || rangeOf(host) === "loopback";
  if (url.username !== "" || url.password !== "") return "expected a URL without user name and password";
  if (isLoopback && allowLoopback) {
    return /^https?:$/.test(url.protocol) ? undefined : "expected http:// or https://";
  }
  if (isLoopback) return `${host} is this machine; HOOKS_ALLOW_LOOPBACK allows it for development`;
  if (url.protocol !== "https:") return "expected https://";
  const range = rangeOf(host);
  if (range !== undefined) return range === "unicast" ? undefined : `${host} is not a public address (${range})`;
  if (!host.includes(".") || PRIVATE_NAMES.test(host)) return `${host} is not a public name`;
  return undefined;
}

/** The host without the brackets of IPv6 and the dot of the root. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, "").replace(/\.+$/, "");
}

/** @returns the kind of a literal address, of IPv4 inside of IPv6 the inner one's, or undefined for a name */
function rangeOf(host: string): string | undefined {
  return ipaddr.isValid(host) ? ipaddr.process(host).range() : undefined;
}

/** Looks names up, and remembers. One for each isolate. */
export class PublicNames {
  readonly #known = new Map<string, { untilMs: number; refusal: string | undefined }>();

  /**
   * @returns why nothing may be sent there, or undefined
   * @throws Error if the name cannot be looked up now
   */
  async refuse(url: string, settings: DestinationSettings): Promise<string | undefined> {
    const refusal = refuseUrl(url, settings);
    const host = hostOf(new URL(url));
    const { dnsUrl } = settings;
    const isName = rangeOf(host) === undefined && host !== "localhost" && !host.endsWith(".localhost");
    if (refusal !== undefined || dnsUrl === undefined || !isName) return refusal;
    const known = this.#known.get(host);
    if (known && known.untilMs > Date.now()) return known.refusal;
    const [v4, v6] = await Promise.all([askDns(dnsUrl, host, "A"), askDns(dnsUrl, host, "AAAA")]);
    const answers = [...v4, ...v6];
    const wrong = answers.find(({ data }) => rangeOf(data) !== "unicast");
    const found = wrong ? `${host} is at ${wrong.data}, which is not a public address` : undefined;
    const answer = answers.length === 0 ? `${host} has no address` : found;
    const ttl = Math.min(...answers.map(({ TTL }) => TTL), MAX_TTL_SECONDS);
    if (this.#known.size >= MAX_KNOWN_NAMES) this.#known.clear();
    this.#known.set(host, { untilMs: Date.now() + Math.max(ttl, MIN_TTL_SECONDS) * 1000, refusal: answer });
    return answer;
  }
}

/** A record of https://developers.google.com/speed/public-dns/docs/doh/json, which Cloudflare's resolver speaks too. */
interface DnsRecord {
  type: number;
  TTL: number;
  data: string;
}

const DNS_TYPES = { A: 1, AAAA: 28 };

async function askDns(dnsUrl: string, name: string, type: "A" | "AAAA"): Promise<DnsRecord[]> {
  const url = `${dnsUrl}?${new URLSearchParams({ name, type })}`;
  const signal = AbortSignal.timeout(DNS_TIMEOUT_MS);
  const response = await fetch(url, { headers: { accept: "application/dns-json" }, signal });
  if (!response.ok) throw new Error(`${name}: the DNS answered ${response.status}`);
  const { Status, Answer } = (await response.json()) as { Status: number; Answer?: DnsRecord[] };
  // 3 is NXDOMAIN.
  if (Status !== 0 && Status !== 3) throw new Error(`${name}: the DNS failed with code ${Status}`);
  // Names on the way (CNAME) are in the answer as well.
  return (Answer ?? []).filter((record) => record.type === DNS_TYPES[type]);
}

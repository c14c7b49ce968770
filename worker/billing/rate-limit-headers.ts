/** `RateLimit` and `RateLimit-Policy` as draft-ietf-httpapi-ratelimit-headers-10 has them: structured fields. */

export interface Quota {
  /** Name of the policy. */
  name: string;
  limit: number;
  windowSeconds: number;
  remaining: number;
  resetSeconds: number;
  /** What is counted, if not requests. */
  unit?: string;
}

export function rateLimitHeaders({ name, limit, windowSeconds, remaining, resetSeconds, unit }: Quota) {
  const of = unit === undefined ? "" : `;qu="${unit}"`;
  return {
    "ratelimit-policy": `"${name}";q=${limit};w=${windowSeconds}${of}`,
    ratelimit: `"${name}";r=${Math.max(0, remaining)};t=${resetSeconds}`,
  };
}

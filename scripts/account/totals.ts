/**
 * Totals from Analytics Engine, which the Worker writes a data point to for every answer (middleware/payment.ts): blobs
 * model, task, scheme, country; doubles micro-units and characters. It samples, so each row stands for
 * `_sample_interval` points (https://developers.cloudflare.com/analytics/analytics-engine/sql-api/).
 */
import { formatMoney } from "../../worker/billing/money.ts";

const DATASET = "edge_slm_usage";

export interface TotalsOptions {
  api: string;
  /** Cloudflare's account id. */
  account: string;
  token: string;
  days: number;
}

export interface TotalsRow {
  day: string;
  model: string;
  scheme: string;
  country: string;
  requests: number;
  characters: number;
  usd: string;
}

/** @throws Error with Cloudflare's answer */
export async function queryTotals({ api, account, token, days }: TotalsOptions): Promise<TotalsRow[]> {
  const query = `
    SELECT toStartOfInterval(timestamp, INTERVAL '1' DAY) AS day, blob1 AS model, blob3 AS scheme, blob4 AS country,
      SUM(_sample_interval) AS requests, SUM(_sample_interval * double2) AS characters,
      SUM(_sample_interval * double1) AS micros
    FROM ${DATASET} WHERE timestamp > NOW() - INTERVAL '${days}' DAY
    GROUP BY day, model, scheme, country ORDER BY day, model, scheme, country`;
  const response = await fetch(`${api}/accounts/${account}/analytics_engine/sql`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: query,
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`Analytics Engine answered ${response.status}: ${text.slice(0, 300)}`);
  const { data } = JSON.parse(text) as { data: Record<string, string | number>[] };
  return data.map(({ day, model, scheme, country, requests, characters, micros }) => ({
    day: String(day).slice(0, 10),
    model: String(model),
    scheme: String(scheme),
    country: String(country),
    requests: Number(requests),
    characters: Number(characters),
    usd: formatMoney(Number(micros)),
  }));
}

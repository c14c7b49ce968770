/**
 * The API from TypeScript, with hono's typed client: requests and answers have the types of the routes themselves.
 * `node examples/client.ts [URL]`, beside `npm start`.
 */
import { hc } from "hono/client";
import type { AppType } from "../worker/app.ts";

const url = process.argv[2] ?? "http://127.0.0.1:8787";
const apiKey = process.env.EDGE_SLM_KEY;
const client = hc<AppType>(url, apiKey === undefined ? {} : { headers: { authorization: `Bearer ${apiKey}` } });

const listed = await client.v1.models.$get();
if (listed.status === 200) {
  const { models } = await listed.json();
  for (const model of models) console.log(`${model.id}: ${model.description}`);
}

const translated = await client.v1.translate.$post({
  json: { text: ["A man is riding a bicycle.", "Two dogs run."], source: "en", target: "de" },
});
if (translated.status !== 200) {
  const problem = await translated.json();
  throw new Error(`${problem.title}: ${problem.detail}`);
}
const { translations } = await translated.json();
for (const { text, score } of translations) console.log(`${text} (score ${score})`);

const classified = await client.v1.classify.$post({ json: { text: "My card was charged twice.", top_k: 1 } });
if (classified.status === 200) {
  const { classifications } = await classified.json();
  for (const [task, { label }] of Object.entries(classifications[0]!.tasks)) console.log(`${task}: ${label}`);
}

/** A first call to what was deployed. */
import type { Manifest } from "../../worker/model/manifest.ts";
import { type FirstAnswer, firstQuestion } from "../start/first-question.ts";

const WAIT_MS = 60_000;
const STEP_MS = 2_000;

/**
 * Asks until it answers: a new address takes a while to be known everywhere.
 * @returns what it answered, for people
 * @throws Error with its last answer, if that is none that a running Worker gives
 */
export async function smokeTest(
  url: string,
  { config }: Manifest,
  billing: string,
  { waitMs = WAIT_MS, stepMs = STEP_MS } = {},
): Promise<string> {
  const { path, body, asked, readAnswer } = firstQuestion(config);
  const deadlineMs = Date.now() + waitMs;
  for (;;) {
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const response = await fetch(new URL(path, url), init).catch((error: Error) => error);
    if (response instanceof Response) {
      const answer = (await response.json().catch(() => ({}))) as FirstAnswer & { detail?: string };
      if (response.ok) return `${asked} → ${readAnswer(answer)}`;
      // Without a key and without money, that is the right answer.
      if (billing === "on" && (response.status === 401 || response.status === 402)) {
        return `${response.status}, as it should without a key: ${answer.detail}`;
      }
      if (Date.now() > deadlineMs) throw new Error(`${url}${path} answered ${response.status}: ${answer.detail ?? ""}`);
    } else if (Date.now() > deadlineMs) {
      throw new Error(`${url}${path} cannot be reached: ${response.cause ?? response.message}`);
    }
    await new Promise((done) => setTimeout(done, stepMs));
  }
}

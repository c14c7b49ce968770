import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { smokeTest } from "../../scripts/deploy/smoke.ts";
import { readModelFolder } from "../../scripts/publish/model-folder.ts";

const { manifest } = await readModelFolder(fileURLToPath(new URL("../fixtures/tiny", import.meta.url)));
const answer = { model: { id: "tiny" }, translations: [{ text: "Hallo." }] };
const brief = { waitMs: 100, stepMs: 10 };
let stop = () => {};
afterEach(() => stop());

/** A Worker that gives these answers, the last one again and again. @returns its address */
async function serve(...answers: [status: number, body: object][]): Promise<string> {
  const server = createServer((_, response) => {
    const [status, body] = answers.length > 1 ? answers.shift()! : answers[0]!;
    response.writeHead(status).end(JSON.stringify(body));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  stop = () => server.close();
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("the first call of a deployment", () => {
  it("waits until the Worker is there", async () => {
    const url = await serve([404, {}], [503, { detail: "R2" }], [200, answer]);
    expect(await smokeTest(url, manifest, "off", { ...brief, waitMs: 10_000 })).toMatch(/ → Hallo\.$/);
  });

  it("is content with a demand for money where there is one", async () => {
    const url = await serve([402, { detail: "pay" }]);
    expect(await smokeTest(url, manifest, "on", brief)).toBe("402, as it should without a key: pay");
    await expect(smokeTest(url, manifest, "off", brief)).rejects.toThrow("/v1/translate answered 402: pay");
  });

  it("says that nobody answers", async () => {
    const url = await serve([200, answer]);
    stop();
    await expect(smokeTest(url, manifest, "off", brief)).rejects.toThrow("cannot be reached");
  });
});

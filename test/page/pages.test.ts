/** The pages in a browser against the Worker with the shipped models: each panel's flow, and axe on what it shows. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signRequest } from "../../scripts/hooks/senders.ts";
import { expectAccessible, findChromium, type LocalWorker, startWorker } from "./browser.ts";

const START_MS = 240_000;
const STEP_MS = 60_000;
const TEST_MS = 180_000;
const SENTENCE = "A man is riding a bicycle on the street.";
const run = promisify(execFile);

const executablePath = findChromium();
if (!executablePath) console.warn("test/page: no Chromium here, the pages are not tested: apt-get install chromium");

let worker: LocalWorker;
let browser: Browser;
const strangers: string[] = [];
const failures: string[] = [];

/** A page that writes down what goes wrong, and every request to another host. */
async function openPage(path: string, options: Parameters<Browser["newContext"]>[0] = {}): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    locale: "en-US",
    reducedMotion: "reduce",
    serviceWorkers: "block",
    ...options,
  });
  context.setDefaultTimeout(STEP_MS);
  watch(context);
  const page = await context.newPage();
  page.on("pageerror", (error) => failures.push(`${path}: ${error.message}`));
  await page.goto(worker.url + path);
  return page;
}

function watch(context: BrowserContext): void {
  context.on("request", (request) => {
    const url = new URL(request.url());
    if (url.origin !== worker.url && url.protocol !== "data:") strangers.push(url.href);
  });
}

async function callApi<T>(path: string, body?: object, key?: string): Promise<T> {
  const response = await fetch(worker.url + path, {
    ...(body ? { method: "POST", body: JSON.stringify(body) } : {}),
    headers: { "content-type": "application/json", ...(key ? { authorization: `Bearer ${key}` } : {}) },
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

/** The words of the first element that a selector finds, as they are laid out. */
function shown(page: Page, selector: string): Promise<string> {
  // biome-ignore lint/performance/useDomNodeTextContent: what the reader sees is the point
  return page.locator(selector).first().innerText();
}

/** What the code of a result prints, as its reader would run it. */
async function runCode(page: Page, panel: string, language: "curl" | "TypeScript"): Promise<string> {
  await page.click(`${panel} .code button:text-is("${language}")`);
  const code = await shown(page, `${panel} .code pre`);
  if (language === "curl") return (await run("bash", ["-c", code.replace(/^curl/, "curl -sS")])).stdout;
  const directory = await mkdtemp(join(tmpdir(), "edge-slm-code-"));
  try {
    await writeFile(join(directory, "call.mts"), code);
    return (await run(process.execPath, [join(directory, "call.mts")])).stdout;
  } finally {
    await rm(directory, { recursive: true });
  }
}

describe.skipIf(!executablePath)("the pages", () => {
  beforeAll(async () => {
    [worker, browser] = await Promise.all([
      startWorker(START_MS - STEP_MS),
      chromium.launch({ executablePath: executablePath!, args: ["--no-sandbox"], timeout: START_MS }),
    ]);
  }, START_MS);
  afterAll(async () => {
    await browser?.close();
    await worker?.stop();
  }, STEP_MS);

  it("translates: tokens as they come, attention, the same call as code", { timeout: TEST_MS }, async () => {
    const page = await openPage("/");
    await page.waitForSelector("#translate .primary");
    await page.evaluate(`
      globalThis.seen = [];
      new MutationObserver(() => seen.push(document.querySelector("#translate-output").textContent))
        .observe(document.querySelector("#translate-output"), { childList: true, subtree: true });
    `);
    await page.fill("#translate-text", SENTENCE);
    await page.click("#translate .primary");
    await page.waitForSelector("#translate .code");
    const request = { text: SENTENCE, source: "en", target: "de", beam_size: 1 };
    const { translations } = await callApi<{ translations: { text: string }[] }>("/v1/translate", request);
    const { text } = translations[0]!;
    expect(await shown(page, "#translate-output")).toBe(text);
    const seen = (await page.evaluate("seen")) as string[];
    expect(seen.every((part) => text.startsWith(part))).toBe(true);
    expect(await shown(page, "#translate .facts")).toMatch(/First token\s+[\d.<]+ ?ms[\s\S]*10 → 9[\s\S]*2\.1 MB/);

    const words = page.locator("#translate .words").nth(1).locator(".word");
    await words.filter({ hasText: "Fahrrad" }).hover();
    expect(await shown(page, "#translate .said")).toMatch(/^Fahrrad ← bicycle \d+%/);
    expect(await page.locator("#translate path.on").count()).toBeGreaterThan(0);
    await words.first().focus();
    await page.keyboard.press("ArrowRight");
    expect(await shown(page, "#translate .said")).toMatch(/^Mann ← man \d+%/);
    await expectAccessible(page);

    const events = await runCode(page, "#translate", "curl");
    const result = JSON.parse(/event: result\ndata: (.*)/.exec(events)![1]!);
    expect(result.translations[0].text).toBe(text);
    const printed = await runCode(page, "#translate", "TypeScript");
    expect(JSON.parse(/^result (.*)$/m.exec(printed)![1]!).translations[0].text).toBe(text);
    await page.context().close();
  });

  it("shows the beam's alternatives, and what is wrong", { timeout: TEST_MS }, async () => {
    const page = await openPage("/");
    await page.check("#search-beam");
    await page.fill("#translate-text", `${SENTENCE} Two dogs are running.`);
    await page.keyboard.press("Control+Enter");
    await page.waitForSelector("#translate .alternatives");
    const request = { text: `${SENTENCE} Two dogs are running.`, source: "en", target: "de", beam_size: 5 };
    const { translations } = await callApi<{
      translations: { text: string; parts: { alternatives?: { text: string }[] }[] }[];
    }>("/v1/translate", { ...request, alternatives: true });
    const expected = translations[0]!.parts.flatMap(({ alternatives }) => alternatives ?? []).map(({ text }) => text);
    expect(expected.length).toBeGreaterThan(4);
    expect(await page.locator("#translate .alternatives li > :first-child").allInnerTexts()).toEqual(expected);
    expect(await page.locator("#translate .pair").count()).toBe(2);
    await page.fill("#translate-text", "Привет, мир");
    await page.click("#translate .primary");
    await page.waitForSelector("#translate .problem");
    expect(await shown(page, "#translate .problem")).toContain("expected Latin letters");
    await expectAccessible(page);
    await page.context().close();
  });

  it("classifies by all tasks, with the words that speak for an answer", { timeout: TEST_MS }, async () => {
    const page = await openPage("/#classify");
    const text = "My card was charged twice and nobody answers my mails.";
    await page.fill("#classify-text", text);
    await page.click("#classify .primary");
    await page.waitForSelector("#classify .task");
    const { classifications } = await callApi<{
      classifications: { tasks: Record<string, { labels: { label: string; probability: number }[] }> }[];
    }>("/v1/classify", { text });
    const tasks = Object.entries(classifications[0]!.tasks);
    expect(tasks.length).toBe(9);
    const labels = await page.locator("#classify .task .found").allInnerTexts();
    expect(labels).toEqual(tasks.map(([, { labels }]) => labels[0]!.label.replaceAll("_", " ")));
    await page.focus('#classify .task[aria-checked="true"]');
    const steps = tasks.findIndex(([task]) => task === "banking_intent");
    for (let i = 0; i < steps; i++) await page.keyboard.press("ArrowDown");
    expect(await shown(page, "#classify .stack h2")).toContain("transaction charged twice");
    expect(await page.locator("#classify mark.for", { hasText: "twice" }).count()).toBe(1);
    expect(await shown(page, "#classify .explained")).toBe(text);
    await expectAccessible(page);
    expect(JSON.parse(await runCode(page, "#classify", "curl")).classifications[0].tasks).toHaveProperty("spam");
    const printed = JSON.parse(await runCode(page, "#classify", "TypeScript"));
    expect(printed.classifications[0].tasks.banking_intent.explanation.words.length).toBeGreaterThan(5);
    await page.context().close();
  });

  it("fills a knowledge base, asks it, and tells what leans on what", { timeout: TEST_MS }, async () => {
    const page = await openPage("/#knowledge");
    await page.fill("#knowledge-key", worker.adminKey);
    await page.click("#knowledge form:first-of-type .primary");
    await expect.poll(() => shown(page, "#knowledge .said"), { timeout: STEP_MS }).toContain("5 passages in all");
    await page.click('#knowledge .examples button:text-is("What are your opening hours?")');
    await expect.poll(() => shown(page, "#knowledge .found"), { timeout: STEP_MS }).toContain("From nine to six");
    await page.click('#knowledge .examples button:text-is("And on Sundays?")');
    await expect
      .poll(() => shown(page, "#knowledge-result .stack"), { timeout: STEP_MS })
      .toContain("What are your opening hours? And on Sundays?");
    await expectAccessible(page);
    expect(JSON.parse(await runCode(page, "#knowledge", "curl"))).toMatchObject({ knowledge_base: "playground" });
    await page.context().close();
  });

  it("answers a question out of a text, and shows where", { timeout: TEST_MS }, async () => {
    const page = await openPage("/#answer");
    await page.waitForSelector("#answer .primary");
    const context = "The shop opens at nine. Ada Holm founded it in 1871, and left it to her son.";
    await page.fill("#answer-context", context);
    await page.fill("#answer-question", "When was the shop founded?");
    await page.click("#answer .primary");
    await page.waitForSelector("#answer .code");
    const body = { question: "When was the shop founded?", context };
    const { answer, alternatives } = await callApi<{ answer: string | null; alternatives: object[] }>(
      "/v1/answer",
      body,
    );
    expect(await shown(page, "#answer .explained")).toBe(context);
    if (answer === null) expect(await shown(page, "#answer .said")).toContain("does not seem to answer");
    else expect(await shown(page, "#answer .explained mark")).toBe(answer);
    expect(await page.locator("#answer .ranking li").count()).toBe(alternatives.length + (answer === null ? 0 : 1));
    await expectAccessible(page);
    expect(JSON.parse(await runCode(page, "#answer", "curl")).answer).toBe(answer);
    await page.context().close();
  });

  it("recommends to a history that grows by clicks, and to a new user", { timeout: TEST_MS }, async () => {
    const page = await openPage("/#recommend");
    await page.fill("#recommend-history", "4 11 no-such-item");
    await page.click("#recommend .primary");
    await page.waitForSelector("#recommend .ranking li");
    expect(await shown(page, "#recommend-result")).toMatch(/Not in the catalogue, and skipped: no-such-item/);
    expect(await shown(page, "#recommend .ranking li:first-child")).toMatch(/because of (4|11) \(\d/);
    await expectAccessible(page);
    const taken = await shown(page, "#recommend .ranking li:first-child button");
    await page.click("#recommend .ranking li:first-child button");
    const first = page.locator("#recommend .ranking li:first-child button");
    await first.filter({ hasNotText: new RegExp(`^${taken}$`) }).waitFor();
    expect(await page.inputValue("#recommend-history")).toBe(`4 11 no-such-item ${taken}`);
    await page.getByRole("button", { name: "A new user" }).click();
    await page.getByRole("heading", { name: "A new user gets what is most popular" }).waitFor();
    expect(await page.locator("#recommend .ranking li").count()).toBe(10);
  });

  it("tries a webhook of each sender, and delivers nothing", { timeout: TEST_MS }, async () => {
    let deliveries = 0;
    const receiver = createServer((_, response) => {
      deliveries++;
      response.end();
    });
    await new Promise<void>((done) => receiver.listen(0, "127.0.0.1", done));
    const destination = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
    const page = await openPage("/#webhook");
    await page.fill("#hook-destination", destination);
    for (const sender of ["standard", "stripe", "github"]) {
      await page.selectOption("#hook-sender", sender);
      await page.fill("#hook-probability", "0");
      const answered = page.waitForResponse((response) => response.url().endsWith("/v1/try-hook"));
      await page.click("#webhook .primary");
      await (await answered).finished();
      await page.waitForSelector("#webhook .steps");
      await expect.poll(() => shown(page, "#webhook .steps"), { timeout: STEP_MS }).toContain(destination);
      const steps = await shown(page, "#webhook .steps");
      expect(steps, sender).toContain("It fits");
    }
    expect(await shown(page, "#webhook .steps")).toContain("App crashes when I upload a photo");
    await page.selectOption("#hook-label", "question");
    await page.fill("#hook-probability", "0.99");
    await page.check("#hook-tamper");
    await page.click("#webhook .primary");
    await page.waitForSelector("#webhook .bad");
    const steps = await shown(page, "#webhook .steps");
    expect(steps).toContain("Refused with 401: no signature fits the body");
    expect(steps).toContain("No rule fits");
    await expectAccessible(page);
    expect(JSON.parse(await runCode(page, "#webhook", "curl")).signature.valid).toBe(false);
    expect(deliveries).toBe(0);
    await new Promise((done) => receiver.close(done));
    await page.context().close();
  });

  it("tells what a call costs", { timeout: TEST_MS }, async () => {
    const page = await openPage("/#prices");
    await page.fill("#price-characters", "2500");
    const { prices } = await callApi<{ prices: { model: string; per_1000_characters: number }[] }>("/v1/prices");
    for (const { model, per_1000_characters } of prices) {
      const row = await shown(page, `#prices tr:has(th:text-is("${model}"))`);
      expect(row).toContain(`$${((2.5 * per_1000_characters) / 1e6).toFixed(6)}`);
    }
    await expectAccessible(page);
    await page.context().close();
  });

  it("compares the models", { timeout: TEST_MS }, async () => {
    const page = await openPage("/models");
    await page.waitForSelector(".chart");
    const { models } = await callApi<{ models: { id: string; quality: Record<string, number> }[] }>("/v1/models");
    const charts = (await page.locator(".chart").evaluateAll((all) => all.map((chart) => chart.ariaLabel))).join("\n");
    const bleu = models.find(({ id }) => id === "multi30k-en-de")!.quality["test2016 BLEU (13a, lowercased, beam 5)"];
    expect(charts).toContain(`multi30k-en-de ${bleu}`);
    expect(charts).toContain("BERT 96.9");
    const before = await page.locator(".chart").count();
    await page.click(".primary");
    await expect.poll(() => page.locator(".chart").count(), { timeout: STEP_MS }).toBe(before + 1);
    for (const summary of await page.locator("summary").all()) await summary.click();
    await expectAccessible(page);
    await page.context().close();
  });

  it("documents every operation", { timeout: TEST_MS }, async () => {
    const page = await openPage("/docs");
    const { paths } = await callApi<{ paths: Record<string, object> }>("/openapi.json");
    await page.waitForSelector("#operations section, #operations article, #operations details");
    const written = await shown(page, "body");
    for (const path of Object.keys(paths)) expect(written).toContain(path);
    await expectAccessible(page);
    await page.context().close();
  });

  it("shows the owner how the server is doing", { timeout: TEST_MS }, async () => {
    const { adminKey } = worker;
    await callApi("/v1/admin/accounts", { account: "acme" }, adminKey);
    await callApi("/v1/admin/accounts/acme/top-ups", { amount: 12_500_000, reference: "one" }, adminKey);
    const hook = { source: { kind: "standard" }, text: ["/data/text"], task: "topic", rules: [], name: "tickets" };
    const created = await callApi<{ hook: { id: string; url: string }; secret: string }>("/v1/hooks", hook, adminKey);
    const event = JSON.stringify({ data: { text: "Привет, мир" } });
    const headers = await signRequest("standard", created.secret, event);
    expect((await fetch(created.hook.url, { method: "POST", headers, body: event })).status).toBe(202);
    const deadLetters = async () => {
      const path = `/v1/hooks/${created.hook.id}/events?status=dead`;
      return (await callApi<{ events: unknown[] }>(path, undefined, adminKey)).events.length;
    };
    await expect.poll(deadLetters, { timeout: STEP_MS, interval: 500 }).toBe(1);

    const page = await openPage("/dashboard");
    await page.fill("#admin-key", "wrong");
    await page.click(".primary");
    await page.waitForSelector(".problem");
    expect(await shown(page, ".problem")).toContain("ADMIN_KEY");
    await expectAccessible(page);
    await page.fill("#admin-key", adminKey);
    await page.click(".primary");
    await page.waitForSelector("#memory");
    expect(await shown(page, "#books")).toMatch(/All books agree[\s\S]*acme\s+\$12\.50/);
    expect(await shown(page, "#hooks")).toMatch(/tickets\s+topic\s+dead 1/);
    expect(await shown(page, "#dead")).toContain("Latin");
    expect(await shown(page, "#memory")).toContain("multitask-en");
    await expectAccessible(page);
    await page.click("#dead button");
    await page.waitForSelector('#dead [role="status"]');
    expect(await page.evaluate("JSON.stringify({ ...localStorage, ...sessionStorage })")).not.toContain(adminKey);
    await page.context().close();
  });

  it("speaks English and Chinese", { timeout: TEST_MS }, async () => {
    const page = await openPage("/", { locale: "zh-CN" });
    await page.waitForSelector("#translate .primary");
    expect(await page.getAttribute("html", "lang")).toBe("zh-CN");
    expect(await shown(page, "h1")).toContain("小语言模型");
    await page.click("#translate .primary");
    await page.waitForSelector("#translate .code");
    await expectAccessible(page);
    await page.click(".top button");
    expect(await page.getAttribute("html", "lang")).toBe("en");
    expect(await shown(page, "#translate .facts")).toContain("Round trip");
    expect(await shown(page, "body")).not.toMatch(/[\u4e00-\u9fff]{3}/);
    await page.reload();
    await page.waitForSelector("#translate .primary");
    expect(await shown(page, "h1")).toContain("Small language models");
    await page.context().close();
  });

  it("loads little, from nowhere else, and opens without a network", { timeout: TEST_MS }, async () => {
    const page = await openPage("/models", { serviceWorkers: "allow" });
    await page.waitForSelector(".chart");
    await page.evaluate("navigator.serviceWorker.ready.then(() => undefined)");
    const bodies: Promise<Buffer>[] = [];
    page.on("response", (response) => {
      if (response.ok()) bodies.push(response.body());
    });
    const response = await page.goto(`${worker.url}/`);
    expect(response!.headers()["content-security-policy"]).toContain("default-src 'none'");
    await page.waitForSelector("#translate .primary");
    const weights = (await Promise.all(bodies)).map((body) => gzipSync(body).length);
    expect(weights.length).toBeGreaterThan(10);
    const total = weights.reduce((sum, bytes) => sum + bytes, 0);
    console.log(`first load: ${weights.length} answers, ${(total / 1000).toFixed(1)} kB gzip`);
    expect(total).toBeLessThan(150_000);

    await page.context().setOffline(true);
    await page.goto(`${worker.url}/models`);
    await page.waitForSelector(".chart");
    await page.goto(`${worker.url}/`);
    await page.click("#translate .primary");
    await page.waitForSelector("#translate .problem");
    expect(await shown(page, "#translate .problem")).toContain("cannot be reached");
    await page.context().close();
    expect(strangers).toEqual([]);
    expect(failures).toEqual([]);
  });
});

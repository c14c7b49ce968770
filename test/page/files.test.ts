/** What can be said of the pages without a browser. */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { curlOf, typescriptOf } from "../../worker/public/page/snippets.js";
import { texts } from "../../worker/public/page/texts.js";

const folder = fileURLToPath(new URL("../../worker/public/", import.meta.url));
const files = (await readdir(folder, { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile())
  .map(({ parentPath, name }) => `${parentPath}/${name}`.replace(/\/+/g, "/").slice(folder.length));
const read = (name: string) => readFile(folder + name, "utf8");
const modules = files.filter((name) => name.startsWith("page/"));

/** The modules that a module needs, itself included. */
async function importsOf(name: string, found = new Set<string>()): Promise<Set<string>> {
  if (found.has(name)) return found;
  found.add(name);
  for (const [, other] of (await read(name)).matchAll(/from "\.\/([\w-]+\.js)"/g)) {
    await importsOf(`page/${other}`, found);
  }
  return found;
}

describe("the pages' files", () => {
  it("weigh 150 kB at most, all together and gzipped", async () => {
    let bytes = 0;
    for (const name of files) bytes += gzipSync(await readFile(folder + name)).length;
    expect(bytes).toBeLessThan(150_000);
  });

  it("name no other host", async () => {
    for (const name of files) {
      const hosts = [...(await read(name)).matchAll(/https?:\/\/([\w.-]+)/g)].map(([, host]) => host);
      // A namespace, and where a sample event would be sent to: nothing is loaded from either.
      expect(hosts.filter((host) => host !== "www.w3.org" && host !== "hooks.example.com")).toEqual([]);
    }
    expect(await read("_headers")).toContain("default-src 'none'");
  });

  it.each(["index.html", "models.html", "dashboard.html"])("%s preloads the modules that it needs", async (page) => {
    const html = await read(page);
    const [, script] = /<script type="module" src="\/(.*?)">/.exec(html)!;
    const preloaded = [...html.matchAll(/modulepreload" href="\/(.*?)"/g)].map(([, name]) => name!);
    expect([script!, ...preloaded].toSorted()).toEqual([...(await importsOf(script!))].toSorted());
  });

  it("are all kept for when there is no network", async () => {
    const source = await read("sw.js");
    const list = /const FILES = (\[[\s\S]*?\n\]);/.exec(source)![1]!;
    const kept = new Function(`return ${list}`)() as string[];
    const pages = ["/", "/models", "/dashboard", "/style.css", "/icon.svg"];
    expect(kept.toSorted()).toEqual([...pages, ...modules.map((name) => `/${name}`)].toSorted());
  });
});

describe("the pages' words", () => {
  it("say the same in both languages, with the same values", () => {
    expect(Object.keys(texts.zh)).toEqual(Object.keys(texts.en));
    const values = (text: string) => (text.match(/\{\w+\}/g) ?? []).toSorted();
    for (const [key, text] of Object.entries(texts.en)) {
      expect(values(texts.zh[key as keyof typeof texts.en]), key).toEqual(values(text));
      expect(text.trim(), key).not.toBe("");
    }
  });

  it("are all used, and there is none that is not", async () => {
    const code = (await Promise.all(modules.filter((name) => name !== "page/texts.js").map(read))).join("\n");
    const composed = /^(lang\.|(classify|answer|knowledge)\.(out_of_scope|below_threshold|no_entries|no_text)$)/;
    for (const key of Object.keys(texts.en)) {
      expect(composed.test(key) || code.includes(`"${key}"`), `${key} is used`).toBe(true);
    }
    for (const [, key] of code.matchAll(/said\("([\w.]+)"/g)) expect(texts.en).toHaveProperty([key!]);
  });
});

describe("the code of a call", () => {
  const call = { method: "POST" as const, path: "/v1/classify", body: { text: 'It\'s "new" \\ `$HOME`' } };

  it("names a key, and never says it", () => {
    const options = { origin: "https://edge.example", withKey: true };
    expect(curlOf(call, options)).toContain('-H "authorization: Bearer $EDGE_SLM_KEY"');
    expect(typescriptOf(call, options)).toContain('authorization: "Bearer " + process.env.EDGE_SLM_KEY,');
    expect(curlOf(call, { ...options, withKey: false })).not.toContain("authorization");
  });

  it("quotes a text for the shell", async () => {
    const { body } = call;
    const code = curlOf(call, { origin: "", withKey: false }).replace("curl", "printf '%s\\n'");
    const { stdout } = await promisify(execFile)("bash", ["-c", code]);
    expect(JSON.parse(stdout.trim().split("\n").at(-1)!)).toEqual(body);
  });
});

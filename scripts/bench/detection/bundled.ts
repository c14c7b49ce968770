/** What a module weighs once it is bundled for a Worker, as wrangler's own bundler makes it. */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** @returns the minified bundle */
export async function bundledBytes(module: string): Promise<Uint8Array> {
  // Wrangler brings esbuild along.
  const { build } = createRequire(createRequire(import.meta.url).resolve("wrangler"))("esbuild") as {
    build(options: object): Promise<{ outputFiles: { contents: Uint8Array }[] }>;
  };
  const contents = `export * from ${JSON.stringify(module)};`;
  const stdin = { contents, resolveDir: root };
  const options = { bundle: true, minify: true, format: "esm", platform: "neutral", mainFields: ["module", "main"] };
  const { outputFiles } = await build({ stdin, ...options, conditions: ["browser"], write: false, logLevel: "error" });
  return outputFiles[0]!.contents;
}

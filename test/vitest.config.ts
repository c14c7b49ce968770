/**
 * Two test projects: `node` runs `*.test.ts` in Node, `workerd` runs `*.workerd.test.ts` inside the Workers runtime
 * with the bindings of wrangler.toml. Run with `vitest run --config test/vitest.config.ts`.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL("..", import.meta.url));
const configPath = fileURLToPath(new URL("../wrangler.toml", import.meta.url));
/** Secrets, and settings that let the hooks deliver to the tests' own receiver. */
const bindings = {
  ADMIN_KEY: "admin-key-of-the-tests",
  HOOKS_KEY: "hooks-key-of-the-tests",
  HOOKS_ALLOW_LOOPBACK: true,
  HOOKS_RETRY_SECONDS: "0.05,0.05,0.05",
};

/** The maps of the stripe package name sources that it does not bring, and Vite complains of each. */
const withoutStripeMaps = {
  name: "without-stripe-maps",
  async load(id: string) {
    if (!/\/node_modules\/stripe\/.*\.js$/.test(id)) return undefined;
    return (await readFile(id, "utf8")).replace(/^\/\/# sourceMappingURL=.*$/m, "");
  },
};

export default defineConfig({
  root,
  test: {
    projects: [
      {
        root,
        test: {
          name: "node",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.workerd.test.ts"],
          testTimeout: 60_000,
        },
      },
      {
        root,
        plugins: [withoutStripeMaps, cloudflareTest({ wrangler: { configPath }, miniflare: { bindings } })],
        test: {
          name: "workerd",
          include: ["test/**/*.workerd.test.ts"],
          globalSetup: ["test/worker/receiver.ts"],
          testTimeout: 60_000,
        },
      },
    ],
  },
});

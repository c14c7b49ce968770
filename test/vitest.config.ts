/**
 * Two test projects: `node` runs `*.test.ts` in Node, `workerd` runs `*.workerd.test.ts` inside the Workers runtime
 * with the bindings of wrangler.toml. Run with `vitest run --config test/vitest.config.ts`.
 */
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
        plugins: [cloudflareTest({ wrangler: { configPath }, miniflare: { bindings } })],
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

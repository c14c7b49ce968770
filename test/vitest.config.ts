/**
 * Two test projects: `node` runs `*.test.ts` in Node, `workerd` runs `*.workerd.test.ts` inside the Workers runtime
 * with the bindings of wrangler.toml. Run with `vitest run --config test/vitest.config.ts`.
 */
import { fileURLToPath } from "node:url";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL("..", import.meta.url));
const configPath = fileURLToPath(new URL("../wrangler.toml", import.meta.url));

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
        plugins: [cloudflareTest({ wrangler: { configPath } })],
        test: { name: "workerd", include: ["test/**/*.workerd.test.ts"], testTimeout: 60_000 },
      },
    ],
  },
});

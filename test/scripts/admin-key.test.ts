import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ensureAdminKey, readAdminKey } from "../../scripts/start/admin-key.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "edge-slm-key-"));
});
afterAll(() => rm(directory, { recursive: true }));

it("makes a key once, for the owner's eyes only", async () => {
  const path = join(directory, "none");
  expect(await readAdminKey(path)).toBeUndefined();
  expect(await ensureAdminKey(path)).toBe(true);
  const key = await readAdminKey(path);
  expect(key).toMatch(/^[\w-]{43}$/);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await ensureAdminKey(path)).toBe(false);
  expect(await readAdminKey(path)).toBe(key);
});

it.each(["OTHER=1\n", "OTHER=1", "OTHER=1\nADMIN_KEY=\n"])("keeps what else is in %j", async (text) => {
  const path = join(directory, "other");
  await writeFile(path, text);
  expect(await ensureAdminKey(path)).toBe(true);
  expect(await readFile(path, "utf8")).toMatch(/^OTHER=1\n(.*\n)?ADMIN_KEY=.{43}\n$/);
  expect(await readAdminKey(path)).toHaveLength(43);
});

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

test("npm run chaos knows what it can break", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["scripts/chaos.ts", "--help"]);
  expect(stdout).toMatch(/^ {2}billing /m);
  expect(stdout).toMatch(/^ {2}hooks /m);
});

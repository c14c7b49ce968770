/** Builds the kernels in a process of its own. What it prints is shown only if it fails. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** @throws Error with what the build printed */
export function runBuild(): Promise<void> {
  return new Promise((done, failed) => {
    const script = fileURLToPath(new URL("build-kernels.ts", import.meta.url));
    const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    child.on("error", failed);
    child.on("close", (code) => (code === 0 ? done() : failed(new Error(output.trim()))));
  });
}

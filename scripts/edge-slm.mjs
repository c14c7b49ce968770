#!/usr/bin/env node
/** `npx edge-slm`: the command line of command.ts. Plain JavaScript, so that an old Node can read what it says. */
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `edge-slm needs Node 22.18 or newer, this is ${process.versions.node}: run it as npx edge-slm in the project's ` +
      "folder after npm install, which brings Node 24 along",
  );
  process.exit(1);
}
await import("./command.ts");

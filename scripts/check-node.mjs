/**
 * Says in one line what is missing before a script is run. Plain JavaScript, so that any Node can read it; npm's
 * `pre` scripts call it.
 */
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `Node ${process.versions.node} is too old for the scripts, expected 22.18 or newer: run npm install, which puts ` +
      "Node 24 into node_modules, and start them through npm",
  );
  process.exit(1);
}

/** A call as code that can be pasted. A key stands in it by the name of a variable, never by itself. */

/** @typedef {import("./api.js").Call} Call */

/** @param {string} text */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/**
 * @param {Call} call
 * @param {{ origin: string, withKey: boolean }} options
 */
export function curlOf({ path, body }, { origin, withKey }) {
  const isStream = "stream" in body && body.stream === true;
  return [
    `curl ${isStream ? "-N " : ""}${origin}${path}`,
    ...(withKey ? [`-H "authorization: Bearer $EDGE_SLM_KEY"`] : []),
    `-H 'content-type: application/json'`,
    `-d ${quoted(JSON.stringify(body))}`,
  ].join(" \\\n  ");
}

/**
 * @param {Call} call
 * @param {{ origin: string, withKey: boolean }} options
 */
export function typescriptOf({ path, body }, { origin, withKey }) {
  const isStream = "stream" in body && body.stream === true;
  const key = withKey ? `\n    authorization: "Bearer " + process.env.EDGE_SLM_KEY,` : "";
  const request = `const response = await fetch(${JSON.stringify(origin + path)}, {
  method: "POST",
  headers: {
    "content-type": "application/json",${key}
  },
  body: JSON.stringify(${JSON.stringify(body, null, 2).replaceAll("\n", "\n  ")}),
});
if (!response.ok) throw new Error(await response.text());
`;
  if (!isStream) return `${request}console.log(JSON.stringify(await response.json(), null, 2));\n`;
  return `${request}
let rest = "";
for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
  const blocks = (rest + chunk).split("\\n\\n");
  rest = blocks.pop()!;
  for (const block of blocks) {
    const [event, data] = block.split("\\n").map((line) => line.slice(line.indexOf(": ") + 2));
    console.log(event, data); // delta: { index, text }; at the end result or error
  }
}
`;
}

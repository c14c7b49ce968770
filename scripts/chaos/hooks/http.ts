/** POST over connections that are kept, with the time that it took. */
import { Agent, request as httpRequest } from "node:http";

export interface Answer {
  status: number;
  text: string;
  ms: number;
}

export type Headers = Record<string, string>;

const agent = new Agent({ keepAlive: true, maxSockets: 256 });

/** @throws Error if there is no answer */
export function post(url: string, headers: Headers, body: string | Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const startMs = performance.now();
    const length = { "content-length": String(Buffer.byteLength(body)) };
    const request = httpRequest(url, { agent, method: "POST", headers: { ...headers, ...length } }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode!, text, ms: performance.now() - startMs }));
      response.on("error", reject);
    });
    request.setTimeout(30_000, () => request.destroy(new Error("no answer within 30 s")));
    request.on("error", reject);
    request.end(body);
  });
}

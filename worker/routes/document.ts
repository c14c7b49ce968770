/**
 * `GET /openapi.json`: the API's description, OpenAPI 3.1, made of the very schemas that check the requests.
 */
import type { App } from "../context.ts";
import { SECURITY, TAGS } from "../openapi.ts";

const DESCRIPTION = `Small language models at the edge: translation and classification of text, answers to questions.

Errors are problem+json (RFC 9457); \`type\` names the kind, \`detail\` says what was expected, what came and what to do.
Any operation may answer 500 (\`internal_error\`), which is a fault of the server. Texts are measured in UTF-16 units.
With an \`Idempotency-Key\` a paid request that is repeated gets the answer it had, and is paid once.`;

export function addDocument(app: App): void {
  const schemes = app.openAPIRegistry;
  schemes.registerComponent("securitySchemes", SECURITY.apiKey, {
    type: "http",
    scheme: "bearer",
    description: "A customer's key, `esk_…`. Where a server asks for no money, none is needed",
  });
  schemes.registerComponent("securitySchemes", SECURITY.deeplKey, {
    type: "apiKey",
    in: "header",
    name: "Authorization",
    description: "The same key as DeepL's clients send it: `DeepL-Auth-Key esk_…`",
  });
  schemes.registerComponent("securitySchemes", SECURITY.adminKey, {
    type: "http",
    scheme: "bearer",
    description: "The operator's `ADMIN_KEY`",
  });
  let document: string | undefined;
  app.get("/openapi.json", (c) => {
    document ??= JSON.stringify(
      app.getOpenAPI31Document({
        openapi: "3.1.0",
        info: { title: "edge-slm", version: "1", description: DESCRIPTION, license: { name: "MIT" } },
        servers: [{ url: "/" }],
        tags: Object.values(TAGS),
      }),
    );
    return c.body(document, 200, { "content-type": "application/json", "cache-control": "public, max-age=300" });
  });
}

/**
 * The reference: draws /openapi.json. Everything is made of text nodes, so nothing in the document is markup.
 */

/**
 * @param {string} name
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Text with `code` in it. */
function prose(text = "") {
  return text.split("`").map((part, i) => (i % 2 === 0 ? part : element("code", {}, part)));
}

function copyable(text) {
  const button = element("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => {
      button.textContent = "Copy";
    }, 1500);
  });
  return element("div", {}, element("pre", { tabindex: "0" }, element("code", {}, text)), button);
}

class Reference {
  constructor(api) {
    this.api = api;
  }

  /** What a `$ref` names, or the schema itself. */
  resolve(schema) {
    if (!schema?.$ref) return schema ?? {};
    return schema.$ref
      .slice(2)
      .split("/")
      .reduce((node, key) => node[key], this.api);
  }

  typeOf(given) {
    const schema = this.resolve(given);
    const alternatives = schema.oneOf ?? schema.anyOf;
    if (alternatives) return [...new Set(alternatives.map((one) => this.typeOf(one)))].join(" or ");
    if (schema.const !== undefined) return JSON.stringify(schema.const);
    if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
    if (schema.type === "array") return `list of ${this.typeOf(schema.items)}`;
    return [schema.type ?? "anything"].flat().join(" or ");
  }

  /** A row for each member, and for the members of those, two levels deep. */
  rows(given, prefix = "", depth = 0) {
    const schema = this.resolve(given);
    const inner = schema.type === "array" ? this.resolve(schema.items) : schema;
    return Object.entries(inner.properties ?? {}).flatMap(([name, member]) => {
      const resolved = this.resolve(member);
      const required = inner.required?.includes(name) && resolved.default === undefined;
      const standard = resolved.default === undefined ? "" : `, default ${JSON.stringify(resolved.default)}`;
      const row = element(
        "tr",
        {},
        element("th", { scope: "row" }, element("code", {}, prefix + name), required ? "" : "?"),
        element("td", {}, this.typeOf(member) + standard),
        element("td", {}, ...prose(member.description ?? resolved.description)),
      );
      return depth < 2 ? [row, ...this.rows(member, `${prefix}${name}.`, depth + 1)] : [row];
    });
  }

  table(rows) {
    return element("div", { class: "scroll", tabindex: "0" }, element("table", {}, element("tbody", {}, ...rows)));
  }

  curl(method, path, operation) {
    const [scheme] = Object.keys(operation.security?.[0] ?? {});
    const optional = operation.security?.length > 1;
    const lines = [`curl ${method === "get" ? "" : `-X ${method.toUpperCase()} `}${location.origin}${path}`];
    if (scheme && !optional) lines.push(`-H 'authorization: Bearer ${scheme === "adminKey" ? "ADMIN_KEY" : "esk_…"}'`);
    const example = operation.requestBody?.content["application/json"]?.example;
    if (example) {
      lines.push("-H 'content-type: application/json'", `-d '${JSON.stringify(example).replaceAll("'", "'\\''")}'`);
    }
    return lines.join(" \\\n  ");
  }

  response(status, { description, content = {} }) {
    const [media] = Object.entries(content);
    const summary = element("summary", {}, element("strong", {}, status), " ", ...prose(description));
    if (!media) return element("p", {}, ...summary.childNodes);
    const [type, { schema, example }] = media;
    const parts = [element("p", { class: "muted" }, Object.keys(content).join(", "))];
    const rows = this.rows(schema);
    if (rows.length > 0) parts.push(this.table(rows));
    if (example !== undefined) parts.push(copyable(JSON.stringify(example, null, 2)));
    return element("details", { "data-type": type }, summary, ...parts);
  }

  article(path, method, operation) {
    const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
    const parts = [
      element("h3", {}, `${method.toUpperCase()} ${path}`),
      element("p", {}, ...prose(summary)),
      ...(description ? [element("p", { class: "muted" }, ...prose(description))] : []),
    ];
    const fields = parameters.map(({ name, in: place, required, schema, description: about }) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, element("code", {}, name), required ? "" : "?"),
        element("td", {}, `${this.typeOf(schema)}, ${place}`),
        element("td", {}, ...prose(about ?? this.resolve(schema).description)),
      ),
    );
    if (requestBody) fields.push(...this.rows(Object.values(requestBody.content)[0].schema));
    if (fields.length > 0) parts.push(element("h4", {}, "Request"), this.table(fields));
    parts.push(copyable(this.curl(method, path, operation)), element("h4", {}, "Answers"));
    for (const [status, response] of Object.entries(responses)) parts.push(this.response(status, response));
    return element("article", { id: operationId }, ...parts);
  }

  draw(contents, main) {
    for (const { name, description } of this.api.tags) {
      const found = Object.entries(this.api.paths).flatMap(([path, methods]) =>
        Object.entries(methods)
          .filter(([, { tags }]) => tags?.includes(name))
          .map(([method, operation]) => ({ path, method, operation })),
      );
      if (found.length === 0) continue;
      main.append(
        element(
          "section",
          {},
          element("h2", {}, name),
          element("p", {}, ...prose(description)),
          ...found.map(({ path, method, operation }) => this.article(path, method, operation)),
        ),
      );
      const links = found.map(({ path, method, operation }) =>
        element("li", {}, element("a", { href: `#${operation.operationId}` }, `${method.toUpperCase()} ${path}`)),
      );
      contents.append(element("section", {}, element("h2", {}, name), element("ul", {}, ...links)));
    }
  }
}

function filterBy(text) {
  const wanted = text.trim().toLowerCase();
  for (const link of document.querySelectorAll("#contents li")) {
    const article = document.getElementById(link.firstElementChild.hash.slice(1));
    const hidden = !article.textContent.toLowerCase().includes(wanted);
    link.hidden = hidden;
    article.hidden = hidden;
  }
  for (const section of document.querySelectorAll("#contents > section, main > section")) {
    section.hidden = ![...section.querySelectorAll("li, article")].some(({ hidden }) => !hidden);
  }
}

const about = document.getElementById("about");
try {
  const response = await fetch("/openapi.json");
  if (!response.ok) throw new Error(`it was answered ${response.status}`);
  const api = await response.json();
  about.replaceChildren(
    ...prose(api.info.description),
    "\n\nThe same for machines: ",
    element("a", { href: "/openapi.json" }, "/openapi.json"),
    `, OpenAPI ${api.openapi}.`,
  );
  new Reference(api).draw(document.getElementById("contents"), document.getElementById("operations"));
  document.getElementById("filter").addEventListener("input", ({ target }) => filterBy(target.value));
  // What the address names was not there when the page was read.
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
} catch (error) {
  about.textContent = `/openapi.json cannot be read: ${error.message}`;
}

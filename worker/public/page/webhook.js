/** The panel that tries a webhook: signs an event in the page and shows what a hook would do with it. */
import { ask } from "./api.js";
import { ranking, readable } from "./classify.js";
import { h, show } from "./dom.js";
import { attempt } from "./frame.js";
import { said } from "./language.js";
import { code, facts } from "./result.js";
import { makeSecret, signEvent } from "./signing.js";

/**
 * @typedef {import("./signing.js").Kind} Kind
 * @typedef {import("./playground.js").Server} Server
 */

/** @type {Record<Kind, { name: string, task: string, pointers: string[], event: object }>} */
const SENDERS = {
  github: {
    name: "GitHub",
    task: "issue_type",
    pointers: ["/issue/title", "/issue/body"],
    event: {
      action: "opened",
      issue: {
        number: 42,
        title: "App crashes when I upload a photo",
        body: "Since the last release it throws an exception every time. Expected: the photo is saved.",
      },
      repository: { full_name: "acme/app" },
    },
  },
  stripe: {
    name: "Stripe",
    task: "banking_intent",
    pointers: ["/data/object/description"],
    event: {
      id: "evt_1",
      type: "charge.dispute.created",
      data: { object: { amount: 4900, currency: "usd", description: "I was charged twice for the same payment." } },
    },
  },
  standard: {
    name: "Standard Webhooks",
    task: "support_queue",
    pointers: ["/data/subject", "/data/text"],
    event: {
      type: "ticket.created",
      data: { subject: "Cannot log in", text: "The password reset mail never arrives and my account is locked." },
    },
  },
};

/** @param {Server} server */
export function webhookPanel({ models, prices }) {
  const heads = models.flatMap((model) => (model.task === "classification" ? model.heads : []));
  if (heads.length === 0) return h("p", { class: "empty-note", ...said("classify.none") });

  const sender = h(
    "select",
    { id: "hook-sender" },
    ...Object.entries(SENDERS).map(([kind, { name }]) => h("option", { value: kind }, name)),
  );
  const body = h("textarea", { id: "hook-body", class: "code", spellcheck: "false", rows: 12 });
  const secret = h("input", { id: "hook-secret", class: "code", spellcheck: "false", autocomplete: "off" });
  const pointers = h("textarea", { id: "hook-pointers", class: "code short", spellcheck: "false", rows: 2 });
  const task = h(
    "select",
    { id: "hook-task" },
    ...heads.map(({ name }) => h("option", { value: name }, readable(name))),
  );
  const label = h("select", { id: "hook-label" });
  const probability = h("input", { id: "hook-probability", type: "number", min: 0, max: 1, step: 0.05, value: "0.5" });
  const destination = h("input", {
    id: "hook-destination",
    class: "code",
    type: "url",
    value: "https://hooks.example.com/bugs",
  });
  const tamper = h("input", { id: "hook-tamper", type: "checkbox" });
  const run = h("button", { type: "submit", class: "primary", ...said("webhook.run") });
  const problem = h("div");
  const steps = h("div", { "aria-live": "polite" });
  const more = h("div", { class: "result" });

  const listLabels = () => {
    const labels = heads.find(({ name }) => name === task.value)?.labels ?? [];
    show(
      label,
      h("option", { value: "", ...said("webhook.any") }),
      ...labels.map((name) => h("option", { value: name }, readable(name))),
    );
  };
  const kind = () => /** @type {Kind} */ (sender.value);
  const fill = () => {
    const chosen = SENDERS[kind()];
    body.value = JSON.stringify(chosen.event, null, 2);
    secret.value = makeSecret(kind());
    pointers.value = chosen.pointers.join("\n");
    if (heads.some(({ name }) => name === chosen.task)) task.value = chosen.task;
    listLabels();
  };
  sender.addEventListener("change", fill);
  task.addEventListener("change", listLabels);

  const field = (
    /** @type {string} */ id,
    /** @type {import("./language.js").Key} */ key,
    /** @type {HTMLElement} */ input,
  ) => h("div", { class: "field" }, h("label", { for: id, ...said(key) }), input);
  const form = h(
    "form",
    { class: "stack", novalidate: true },
    h(
      "div",
      { class: "grid" },
      field("hook-sender", "webhook.sender", sender),
      field("hook-secret", "webhook.secret", secret),
    ),
    field("hook-body", "webhook.body", body),
    h(
      "div",
      { class: "grid" },
      field("hook-pointers", "webhook.pointer", pointers),
      field("hook-task", "webhook.task", task),
    ),
    h(
      "div",
      { class: "grid" },
      field("hook-label", "webhook.label", label),
      field("hook-probability", "webhook.probability", probability),
    ),
    field("hook-destination", "webhook.destination", destination),
    h(
      "div",
      { class: "actions" },
      run,
      h("label", { class: "choice", for: "hook-tamper" }, tamper, h("span", said("webhook.tamper"))),
    ),
    problem,
  );

  let running = false;
  const tryIt = async () => {
    if (running) return;
    running = true;
    run.setAttribute("aria-disabled", "true");
    const found = await attempt(problem, async () => {
      const call = await signedCall();
      return { call, ...(await ask(call)) };
    });
    running = false;
    run.removeAttribute("aria-disabled");
    if (!found) {
      show(steps);
      return show(more);
    }
    const { call, answer, ms } = found;
    const { headers } = /** @type {{ headers: Record<string, string> }} */ (call.body);
    show(steps, describeSteps(headers, answer));
    const model = models.find(({ id }) => id === answer.classification?.model.id);
    show(more, h("section", {}, facts({ ms, model, prices, characters: answer.text.length })), code(call));
  };
  /** @returns {Promise<import("./api.js").Call>} */
  const signedCall = async () => {
    const given = body.value;
    const headers = { "content-type": "application/json", ...(await signEvent(kind(), secret.value, given)) };
    return {
      method: "POST",
      path: "/v1/try-hook",
      body: {
        source: { kind: kind() },
        secret: secret.value,
        headers,
        body: tamper.checked ? `${given} ` : given,
        text: pointers.value
          .split("\n")
          .map((line) => line.trim())
          .filter((line) => line !== ""),
        task: task.value,
        rules: [
          {
            ...(label.value === "" ? {} : { label: label.value }),
            min_probability: Number(probability.value),
            action: "deliver",
            destination: destination.value,
          },
        ],
      },
    };
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    tryIt();
  });
  fill();
  const place = h("div", { class: "stack" }, steps);
  show(steps, h("p", { class: "empty-note", ...said("webhook.empty") }));
  return h(
    "div",
    {},
    h("p", { class: "lead", ...said("webhook.lead") }),
    h("div", { class: "book" }, form, place),
    more,
  );
}

/**
 * @param {Record<string, string>} headers
 * @param {any} answer of /v1/try-hook
 */
function describeSteps(headers, { signature, text, classification, action, destination, refusal, body }) {
  const signed = Object.entries(headers).filter(([name]) => name !== "content-type");
  const step = (
    /** @type {import("./language.js").Key} */ title,
    /** @type {string} */ className,
    /** @type {Node[]} */ ...content
  ) => h("li", { class: className }, h("h2", said(title)), ...content);
  const isRefused = refusal !== null && destination !== null;
  const route =
    action !== "deliver"
      ? said("webhook.store")
      : isRefused
        ? said("webhook.refusal", { destination, reason: refusal })
        : said("webhook.deliver", { destination });
  return h(
    "ol",
    { class: "steps" },
    step(
      "webhook.step.signature",
      signature.valid ? "" : "refused",
      h("p", signature.valid ? said("webhook.valid") : { class: "bad", ...said("webhook.invalid", signature) }),
      h("pre", { tabindex: 0 }, signed.map(([name, value]) => `${name}: ${value}`).join("\n")),
    ),
    step("webhook.step.text", "", text ? h("p", { class: "explained" }, text) : h("p", said("webhook.no_text"))),
    step("webhook.step.label", "", classification ? ranking(classification.labels) : h("p", said("webhook.no_label"))),
    step(
      "webhook.step.route",
      isRefused ? "refused" : "",
      h("p", route),
      ...(body
        ? [
            h(
              "details",
              {},
              h("summary", said("webhook.delivered_body")),
              h("pre", { tabindex: 0 }, JSON.stringify(JSON.parse(body), null, 2)),
            ),
          ]
        : []),
    ),
  );
}

/** The playground: what the server has, and a tab for each thing to try. */
import { answerPanel } from "./answer.js";
import { readModels, readPrices, setApiKey } from "./api.js";
import { classifyPanel } from "./classify.js";
import { h, roving, show } from "./dom.js";
import { attempt, hero, openPage } from "./frame.js";
import { knowledgePanel } from "./knowledge.js";
import { said } from "./language.js";
import { pricesPanel } from "./prices.js";
import { recommendPanel } from "./recommend.js";
import { translatePanel } from "./translate.js";
import { webhookPanel } from "./webhook.js";

/**
 * What the server has; the panels are made from it.
 * @typedef {{ models: import("./api.js").Model[], prices: import("./api.js").Prices }} Server
 */

/** @type {[string, import("./language.js").Key, (server: Server) => HTMLElement][]} */
const TABS = [
  ["translate", "tab.translate", translatePanel],
  ["classify", "tab.classify", classifyPanel],
  ["answer", "tab.answer", answerPanel],
  ["knowledge", "tab.knowledge", knowledgePanel],
  ["recommend", "tab.recommend", recommendPanel],
  ["webhook", "tab.webhook", webhookPanel],
  ["prices", "tab.prices", pricesPanel],
];

const figures = h("p", { class: "figures" });
const problem = h("div");
const keyField = h("div");
const tabList = h("div", { role: "tablist", "data-text-aria-label": "tabs.label" });
const panels = h("div");

/** @param {Server} server */
function build(server) {
  const { models, prices } = server;
  const total = (/** @type {"parameters" | "bytes"} */ name) => models.reduce((sum, { size }) => sum + size[name], 0);
  show(
    figures,
    h(
      "span",
      said("hero.figures", {
        count: models.length,
        parameters: total("parameters") / 1e6,
        megabytes: total("bytes") / 1e6,
      }),
    ),
  );
  if (prices.billing) show(keyField, askForKey());
  for (const [id, key, makePanel] of TABS) {
    const tab = h("button", {
      type: "button",
      role: "tab",
      id: `tab-${id}`,
      "aria-controls": id,
      "data-panel": id,
      ...said(key),
      click: () => choose(id),
    });
    tabList.append(tab);
    panels.append(
      h("section", { role: "tabpanel", id, "aria-labelledby": `tab-${id}`, hidden: true }, makePanel(server)),
    );
  }
  show(tabList, ...tabList.children);
  show(panels, ...panels.children);
  roving(tabList, "[role=tab]", (tab) => choose(tab.dataset.panel ?? ""));
  addEventListener("hashchange", chooseFromAddress);
  chooseFromAddress();
}

function chooseFromAddress() {
  const asked = location.hash.slice(1);
  choose(TABS.some(([id]) => id === asked) ? asked : "translate");
}

/** @param {string} id */
function choose(id) {
  for (const tab of /** @type {HTMLElement[]} */ ([...tabList.children])) {
    const isChosen = tab.dataset.panel === id;
    tab.setAttribute("aria-selected", String(isChosen));
    tab.tabIndex = isChosen ? 0 : -1;
  }
  for (const panel of /** @type {HTMLElement[]} */ ([...panels.children])) panel.hidden = panel.id !== id;
  history.replaceState(null, "", id === "translate" ? "/" : `#${id}`);
}

function askForKey() {
  const input = h("input", { id: "api-key", type: "password", autocomplete: "off", spellcheck: "false" });
  input.addEventListener("input", () => setApiKey(input.value));
  return h(
    "div",
    { class: "inline-form" },
    h("div", { class: "field" }, h("label", { for: "api-key", ...said("key.label") }), input),
    h("p", { class: "empty-note", ...said("key.needed") }),
  );
}

openPage("/", hero("hero.title", "hero.lead", figures), problem, keyField, tabList, panels);
const server = await attempt(problem, async () => {
  const [models, prices] = await Promise.all([readModels(), readPrices()]);
  return { models, prices };
});
if (server) build(server);

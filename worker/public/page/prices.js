/** The panel of prices: the table of GET /v1/prices, and what a call of some length comes to. */
import { dollars, quote } from "./api.js";
import { h, show } from "./dom.js";
import { number, said } from "./language.js";

const START_CHARACTERS = 500;

/** @param {import("./playground.js").Server} server */
export function pricesPanel({ prices: { billing, prices } }) {
  const characters = h("input", {
    id: "price-characters",
    type: "number",
    min: 1,
    max: 20_000,
    value: String(START_CHARACTERS),
  });
  const table = h("div", { class: "scroll", tabindex: 0, role: "region", "data-text-aria-label": "prices.table" });
  const count = () => Math.min(20_000, Math.max(1, Math.round(Number(characters.value) || 1)));
  const calculate = () => {
    const n = count();
    show(
      table,
      h(
        "table",
        {},
        h("caption", said("prices.table")),
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col", ...said("prices.model") }),
            h("th", { scope: "col", class: "right", ...said("prices.thousand") }),
            h("th", { scope: "col", class: "right", ...said("prices.minimum") }),
            h("th", { scope: "col", class: "right", ...said("prices.call", { n }) }),
            h("th", { scope: "col", class: "right", ...said("prices.per_dollar") }),
          ),
        ),
        h(
          "tbody",
          {},
          ...prices.map((price) => {
            const amount = quote(price, n);
            return h(
              "tr",
              {},
              h("th", { scope: "row" }, price.model),
              h("td", { class: "right" }, dollars(price.per_1000_characters)),
              h("td", { class: "right" }, dollars(price.minimum)),
              h("td", { class: "right" }, dollars(amount)),
              h("td", { class: "right" }, amount === 0 ? "∞" : number(Math.floor(1e6 / amount))),
            );
          }),
        ),
      ),
    );
  };
  characters.addEventListener("input", calculate);
  document.addEventListener("language", calculate);
  calculate();
  return h(
    "div",
    { class: "stack" },
    h("p", { class: "lead", ...said("prices.lead") }),
    h("p", said(billing ? "prices.on" : "prices.off")),
    h(
      "div",
      { class: "inline-form" },
      h("div", { class: "field" }, h("label", { for: "price-characters", ...said("prices.characters") }), characters),
    ),
    table,
    h("p", { class: "empty-note", ...said("prices.pay") }),
  );
}

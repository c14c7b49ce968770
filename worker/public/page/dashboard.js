/** The owner's page: books, usage, hooks, dead letters. The admin key lives in a variable and nowhere else. */
import { dollars, get, post } from "./api.js";
import { columns } from "./charts.js";
import { h, show } from "./dom.js";
import { attempt, hero, openPage } from "./frame.js";
import { number, said, text } from "./language.js";

/**
 * @typedef {import("./language.js").Key} Key
 * @typedef {{ account: string, credit: number, reserved: number, revenue: number, keys: { revoked: string | null }[] }} Account
 * @typedef {{ day: string, requests: number, characters: number, amount: number }} Day
 * @typedef {{ id: string, received: string, reason: string | null, type: string | null }} Letter
 */

/** So many of each at most, or the page would ask the server too much. */
const MAX_ACCOUNTS = 50;
const MAX_HOOKS = 20;
const MAX_LETTERS = 20;
const DAYS = 30;

/**
 * @template T
 * @typedef {(path: string) => Promise<T>} Read
 */

/** @param {Read<any>} read */
async function readBooks(read) {
  const books = await read(`/v1/admin/reconcile?limit=${MAX_ACCOUNTS}`);
  const { accounts: names } = await read(`/v1/admin/accounts?limit=${MAX_ACCOUNTS}`);
  /** @type {Account[]} */
  const accounts = await Promise.all(names.map((/** @type {string} */ name) => read(`/v1/admin/accounts/${name}`)));
  /** @type {{ days: Day[] }[]} */
  const usages = await Promise.all(names.map((/** @type {string} */ name) => read(`/v1/admin/accounts/${name}/usage`)));
  return { books, accounts, days: addDays(usages.flatMap(({ days }) => days)) };
}

/** @param {Day[]} days of all accounts @returns {Day[]} the last thirty, each once */
function addDays(days) {
  const todayMs = Date.now();
  return Array.from({ length: DAYS }, (_, i) => {
    const day = new Date(todayMs - (DAYS - 1 - i) * 86_400_000).toISOString().slice(0, 10);
    const of = days.filter((entry) => entry.day === day);
    const sum = (/** @type {"requests" | "characters" | "amount"} */ name) =>
      of.reduce((total, entry) => total + entry[name], 0);
    return { day, requests: sum("requests"), characters: sum("characters"), amount: sum("amount") };
  });
}

/** @param {Read<any>} read */
async function readHooks(read) {
  const { hooks, next_cursor } = await read(`/v1/hooks?limit=${MAX_HOOKS}`);
  const described = await Promise.all(
    hooks.map(async (/** @type {{ id: string }} */ { id }) => ({
      ...(await read(`/v1/hooks/${id}`)),
      letters: (await read(`/v1/hooks/${id}/events?status=dead&limit=${MAX_LETTERS}`)).events,
    })),
  );
  return { hooks: described, isAll: next_cursor === null };
}

/**
 * @param {Key[]} heads
 * @param {Key} label
 * @param {Node[]} rows
 */
function table(heads, label, rows) {
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "data-text-aria-label": label },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...heads.map((key) => h("th", { scope: "col", ...said(key) })))),
      h("tbody", {}, ...rows),
    ),
  );
}

/** @param {Awaited<ReturnType<typeof readBooks>>} found */
function booksBlock({ books, accounts }) {
  const faults = Object.entries(/** @type {Record<string, string[]>} */ (books.faults));
  return h(
    "section",
    { class: "block", id: "books" },
    h("h2", said("dashboard.books")),
    faults.length === 0
      ? h("p", said("dashboard.agree"))
      : h(
          "div",
          { class: "problem", role: "alert" },
          h("b", said("dashboard.faults", { n: faults.length })),
          ...faults.map(([account, reasons]) => h("p", {}, `${account}: ${reasons.join("; ")}`)),
        ),
    h(
      "dl",
      { class: "facts" },
      ...[
        fact("dashboard.accounts", number(books.accounts)),
        fact("dashboard.credit", dollars(books.credit)),
        fact("dashboard.reserved", dollars(books.reserved)),
        fact("dashboard.revenue", dollars(books.revenue)),
      ],
    ),
    books.next !== null && h("p", said("dashboard.partial", { n: MAX_ACCOUNTS })),
    accounts.length === 0
      ? h("p", said("dashboard.no_accounts"))
      : table(
          ["dashboard.account", "dashboard.credit", "dashboard.revenue", "dashboard.keys"],
          "dashboard.accounts",
          accounts.map(({ account, credit, revenue, keys }) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, account),
              h("td", {}, dollars(credit)),
              h("td", {}, dollars(revenue)),
              h("td", {}, number(keys.filter(({ revoked }) => revoked === null).length)),
            ),
          ),
        ),
  );
}

/** @param {Key} key @param {string} value */
function fact(key, value) {
  return h("div", {}, h("dt", said(key)), h("dd", {}, value));
}

/** @param {Day[]} days */
function usageBlock(days) {
  const total = days.reduce((sum, { requests }) => sum + requests, 0);
  return h(
    "section",
    { class: "block", id: "usage" },
    h("h2", said("dashboard.usage")),
    total === 0
      ? h("p", said("dashboard.no_usage"))
      : h(
          "div",
          { class: "stack" },
          columns(
            h("span", said("dashboard.requests")),
            days.map(({ day, requests }) => ({ day, value: requests })),
            `${text("dashboard.requests")}: ${total}`,
          ),
          table(
            ["dashboard.day", "dashboard.requests", "dashboard.characters", "dashboard.amount"],
            "dashboard.usage",
            days
              .filter(({ requests }) => requests > 0)
              .toReversed()
              .map(({ day, requests, characters, amount }) =>
                h(
                  "tr",
                  {},
                  h("th", { scope: "row" }, day),
                  h("td", {}, number(requests)),
                  h("td", {}, number(characters)),
                  h("td", {}, dollars(amount)),
                ),
              ),
          ),
        ),
  );
}

/** @param {Awaited<ReturnType<typeof readHooks>>} found */
function hooksBlock({ hooks, isAll }) {
  return h(
    "section",
    { class: "block", id: "hooks" },
    h("h2", said("dashboard.hooks")),
    !isAll && h("p", said("dashboard.more_hooks", { n: MAX_HOOKS })),
    hooks.length === 0
      ? h("p", said("dashboard.no_hooks"))
      : table(
          ["dashboard.hook", "dashboard.task", "dashboard.events", "dashboard.failing"],
          "dashboard.hooks",
          hooks.map(({ hook, events, destinations }) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, hook.name ?? hook.id),
              h("td", {}, hook.task),
              h("td", {}, counts(events)),
              h("td", {}, destinations.map((/** @type {{ url: string }} */ { url }) => url).join(", ") || "0"),
            ),
          ),
        ),
  );
}

/** @param {Record<string, number>} events by status */
function counts(events) {
  const some = Object.entries(events).filter(([, count]) => count > 0);
  return some.map(([status, count]) => `${status} ${number(count)}`).join(" · ") || "0";
}

/**
 * @param {Awaited<ReturnType<typeof readHooks>>} found
 * @param {string} key
 */
function lettersBlock({ hooks }, key) {
  const wrong = h("div");
  const rows = hooks.flatMap(({ hook, letters }) =>
    letters.map((/** @type {Letter} */ { id, received, reason, type }) => {
      const replay = h("button", { type: "button", class: "secondary", ...said("dashboard.replay") });
      const cell = h("td", {}, replay);
      replay.addEventListener("click", async () => {
        const done = await attempt(wrong, () => post(`/v1/hooks/${hook.id}/events/${id}/replay`, key));
        if (done) show(cell, h("span", { role: "status", ...said("dashboard.replayed") }));
      });
      return h(
        "tr",
        {},
        h("th", { scope: "row" }, hook.name ?? hook.id),
        h("td", {}, type ?? id),
        h("td", {}, new Date(received).toLocaleString()),
        h("td", {}, reason ?? ""),
        cell,
      );
    }),
  );
  return h(
    "section",
    { class: "block", id: "dead" },
    h("h2", said("dashboard.dead")),
    wrong,
    rows.length === 0
      ? h("p", said("dashboard.no_dead"))
      : table(
          ["dashboard.hook", "dashboard.event", "dashboard.received", "dashboard.reason", "dashboard.replay"],
          "dashboard.dead",
          rows,
        ),
  );
}

/** @param {{ kernels: string, loaded_models: { id: string, version: string, memory_bytes: number }[] }} health */
function memoryBlock({ kernels, loaded_models }) {
  return h(
    "section",
    { class: "block", id: "memory" },
    h("h2", said("dashboard.memory")),
    h("p", said("dashboard.kernels", { build: kernels })),
    loaded_models.length === 0
      ? h("p", said("dashboard.no_models"))
      : h(
          "dl",
          { class: "facts" },
          ...loaded_models.map(({ id, memory_bytes }) =>
            h("div", {}, h("dt", {}, id), h("dd", said("unit.mb", { n: memory_bytes / 1e6 }))),
          ),
        ),
  );
}

const input = h("input", { id: "admin-key", type: "password", autocomplete: "off", spellcheck: "false" });
const problem = h("div");
const content = h("div");
const form = h(
  "form",
  { class: "inline-form" },
  h("div", { class: "field" }, h("label", { for: "admin-key", ...said("dashboard.key") }), input),
  h("button", { type: "submit", class: "primary", ...said("dashboard.open") }),
);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = input.value.trim();
  if (key === "") return input.focus();
  const found = await attempt(problem, async () => {
    const read = (/** @type {string} */ path) => get(path, key);
    // One that is refused ends it, before the rest is asked for.
    const books = await readBooks(read);
    return { ...books, hooks: await readHooks(read), health: await get("/health") };
  });
  if (!found) return show(content);
  show(
    content,
    booksBlock(found),
    usageBlock(found.days),
    hooksBlock(found.hooks),
    lettersBlock(found.hooks, key),
    memoryBlock(/** @type {any} */ (found.health)),
  );
});

openPage("/dashboard", h("div", { class: "plain" }, hero("dashboard.title", "dashboard.lead")), form, problem, content);

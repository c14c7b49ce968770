/** Charts in SVG, drawn for the width they have, so that their words stay readable on a phone. */
import { h, svg } from "./dom.js";
import { number } from "./language.js";

/** @typedef {{ name: string, value: number, ours: boolean, note?: string }} Row */

const ROW_HEIGHT = 40;
const BAR_HEIGHT = 8;
/** Room at the right for a value. */
const VALUE_WIDTH = 64;

/**
 * A figure that draws itself again when its width or the page's language changes.
 * @param {Node} caption
 * @param {(width: number) => SVGElement} draw
 */
function figure(caption, draw) {
  const place = h("div");
  let drawnWidth = 0;
  const redraw = () => {
    const width = Math.floor(place.clientWidth);
    if (width === 0) return;
    drawnWidth = width;
    place.replaceChildren(draw(width));
  };
  new ResizeObserver(() => {
    if (Math.floor(place.clientWidth) !== drawnWidth) redraw();
  }).observe(place);
  document.addEventListener("language", redraw);
  return h("figure", {}, h("figcaption", {}, caption), place);
}

/**
 * A bar for each row, named above it; bars begin at zero.
 * @param {Node} caption
 * @param {Row[]} rows
 * @param {string} label for those who do not see it
 */
export function bars(caption, rows, label) {
  const most = Math.max(...rows.map(({ value }) => value));
  return figure(caption, (width) => chart(width, rows, label, (value) => (value / most) * (width - VALUE_WIDTH), true));
}

/**
 * A dot for each row on a common scale that need not begin at zero.
 * @param {Node} caption
 * @param {Row[]} rows
 * @param {string} label
 */
export function dots(caption, rows, label) {
  const values = rows.map(({ value }) => value);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const spread = most - least || 1;
  const start = Math.max(0, least - spread * 0.35);
  const end = most + spread * 0.08;
  return figure(caption, (width) =>
    chart(width, rows, label, (value) => ((value - start) / (end - start)) * (width - VALUE_WIDTH), false),
  );
}

/**
 * @param {number} width
 * @param {Row[]} rows
 * @param {string} label
 * @param {(value: number) => number} place in pixels from the left
 * @param {boolean} asBars
 */
function chart(width, rows, label, place, asBars) {
  const height = rows.length * ROW_HEIGHT;
  return svg(
    "svg",
    { class: "chart", viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": label },
    ...rows.flatMap(({ name, value, ours, note }, i) => {
      const y = i * ROW_HEIGHT + 26;
      const x = Math.max(2, place(value));
      const className = ours ? "ours" : "theirs";
      const mark = asBars
        ? svg("rect", { class: className, x: 0, y: y - BAR_HEIGHT / 2, width: x, height: BAR_HEIGHT })
        : svg("circle", { class: className, cx: x, cy: y, r: ours ? 6 : 4.5 });
      return [
        svg("text", { x: 0, y: y - 11 }, name, ...(note ? [svg("tspan", { class: "weak", dx: 8 }, note)] : [])),
        !asBars && svg("line", { class: "rule", x1: 0, x2: width - VALUE_WIDTH, y1: y, y2: y }),
        mark,
        svg(
          "text",
          { class: "value", x: width, y: y + 4, "text-anchor": "end" },
          number(value, { maximumFractionDigits: 2 }),
        ),
      ];
    }),
  );
}

/**
 * A column for each day.
 * @param {Node} caption
 * @param {{ day: string, value: number }[]} days in order
 * @param {string} label
 */
export function columns(caption, days, label) {
  const most = Math.max(1, ...days.map(({ value }) => value));
  const height = 120;
  return figure(caption, (width) => {
    const step = width / days.length;
    return svg(
      "svg",
      { class: "chart", viewBox: `0 0 ${width} ${height + 20}`, height: height + 20, role: "img", "aria-label": label },
      svg("line", { class: "rule", x1: 0, x2: width, y1: height, y2: height }),
      ...days.map(({ value }, i) => {
        const tall = (value / most) * (height - 22);
        return svg("rect", {
          class: "ours",
          x: i * step + step * 0.15,
          y: height - tall,
          width: step * 0.7,
          height: tall,
        });
      }),
      svg("text", { class: "weak", x: 0, y: height + 16 }, days[0]?.day ?? ""),
      svg("text", { class: "weak", x: width, y: height + 16, "text-anchor": "end" }, days.at(-1)?.day ?? ""),
      svg("text", { class: "weak", x: 0, y: 12 }, number(most)),
    );
  });
}

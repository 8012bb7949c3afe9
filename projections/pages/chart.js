/* A chart over time as SVG: bars that stand on one another, and lines. Read with the pointer, the arrow keys, or as a table. */

import { absolute, h, replace, setText } from "./kit.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 150;
const LEFT = 52, RIGHT = 8, TOP = 8, BOTTOM = 22; // pixels around the plot
const LABEL_PIXELS = 90; // between two labels of the time axis
const HOUR = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const STEPS = [5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440, 2880, 10_080]; // minutes from label to label

export class Chart {
  #points = [];
  #at = -1; // the point that is read
  #width = 0;
  #svg = shape("svg", { role: "img", tabindex: 0, class: "plot" });
  #readout = h("p", { class: "readout", "aria-live": "polite" });
  #rows = h("tbody");

  /**
   * @param {string} title
   * @param {Array<{key: string, label: string, tone: string, kind: "bar"|"line"}>} series keys of the points
   * @param {(value: number) => string} written how a value is told
   * @param {boolean} [gaps] zero means that there was nothing to measure, and not that it took no time
   */
  constructor(title, series, written, gaps = false) {
    Object.assign(this, { title, series, gaps, written: (value) => (gaps && !value ? "–" : written(value)), axis: written });
    const head = h("tr", {}, h("th", { scope: "col" }, "From"), series.map((one) => h("th", { scope: "col", class: "number" }, one.label)));
    const table = h("details", {}, h("summary", {}, "As a table"), h("div", { class: "scrolls table" }, h("table", {}, h("caption", { class: "visually-hidden" }, title), h("thead", {}, head), this.#rows)));
    table.addEventListener("toggle", () => this.#fillTable(table.open));
    this.element = h("figure", { class: "card chart" }, h("figcaption", {}, h("h3", {}, title), legend(series)), this.#readout, this.#svg, table);
    this.table = table;
    this.#svg.addEventListener("pointermove", (event) => this.#point(this.#indexAt(event.offsetX)));
    this.#svg.addEventListener("pointerleave", () => this.#point(-1));
    this.#svg.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(([entry]) => this.#resize(Math.floor(entry.contentRect.width))).observe(this.#svg);
  }

  /** @param {Array<Record<string, any>>} points oldest first, each with `at` @param {number} minutes that each stands for */
  show(points, minutes) {
    this.#points = points;
    this.minutes = minutes;
    this.#draw();
    this.#fillTable(this.table.open);
  }

  #resize(width) {
    if (width === this.#width) return;
    this.#width = width;
    this.#draw();
  }

  #draw() {
    if (!this.#width || !this.#points.length) return;
    const top = roundUp(Math.max(1, ...this.#points.map((point) => this.#heightOf(point))));
    this.scale = { x: (index) => LEFT + (index * this.#plotWidth()) / this.#points.length, y: (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM) };
    this.#svg.setAttribute("viewBox", `0 0 ${this.#width} ${HEIGHT}`);
    this.#svg.setAttribute("height", HEIGHT);
    this.cursor = shape("rect", { class: "cursor", y: TOP, height: HEIGHT - TOP - BOTTOM, width: 0 });
    this.#svg.replaceChildren(...this.#valueAxis(top), ...this.#timeAxis(), this.cursor, ...this.series.map((one) => (one.kind === "bar" ? this.#bars(one) : this.#line(one))));
    this.#point(this.#at);
  }

  #plotWidth() {
    return this.#width - LEFT - RIGHT;
  }

  #heightOf(point) {
    const bars = this.series.filter((one) => one.kind === "bar").reduce((sum, one) => sum + point[one.key], 0);
    return Math.max(bars, ...this.series.filter((one) => one.kind === "line").map((one) => point[one.key]));
  }

  #valueAxis(top) {
    return [0, top / 2, top].flatMap((value) => {
      const y = this.scale.y(value);
      return [shape("line", { class: "grid", x1: LEFT, x2: this.#width - RIGHT, y1: y, y2: y }), words(this.axis(value).replace(/ 00 \w+$/, ""), { x: LEFT - 6, y: y + 4, "text-anchor": "end" })];
    });
  }

  /** Labels at round times of the user's clock. */
  #timeAxis() {
    const count = Math.max(1, Math.floor(this.#plotWidth() / LABEL_PIXELS));
    const step = STEPS.find((minutes) => minutes * count >= this.#points.length * this.minutes) ?? STEPS.at(-1);
    return this.#points.flatMap((point, index) => {
      const at = new Date(point.at);
      const clock = at.getTime() / 60_000 - at.getTimezoneOffset(); // minutes of the user's clock
      if (clock % step >= this.minutes) return [];
      const x = this.scale.x(index);
      const mark = shape("line", { class: "grid", x1: x, x2: x, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM + 4 });
      const middle = Math.min(x, this.#width - LABEL_PIXELS / 4); // the last one would be cut off
      return [mark, words((step >= 1440 ? DAY : HOUR).format(at), { x: middle, y: HEIGHT - 4, "text-anchor": "middle" })];
    });
  }

  /** All bars of a series as one path: thousands of elements would make the page slow. */
  #bars({ key, tone }) {
    const below = this.series.slice(0, this.series.findIndex((one) => one.key === key)).filter((one) => one.kind === "bar");
    const width = Math.max(1, (this.#plotWidth() / this.#points.length) * 0.8);
    const bars = this.#points.map((point, index) => {
      if (!point[key]) return "";
      const from = below.reduce((sum, one) => sum + point[one.key], 0);
      const [x, y] = [this.scale.x(index), this.scale.y(from + point[key])];
      return `M${x.toFixed(1)} ${y.toFixed(1)}h${width.toFixed(1)}V${this.scale.y(from).toFixed(1)}h${(-width).toFixed(1)}Z`;
    });
    return shape("path", { class: `bars tone-${tone}`, d: bars.join("") });
  }

  #line({ key, tone }) {
    const width = this.#plotWidth() / this.#points.length;
    let pen = "M";
    const steps = this.#points.map((point, index) => {
      if (this.gaps && !point[key]) {
        pen = "M";
        return "";
      }
      const [x, y] = [this.scale.x(index) + width / 4, this.scale.y(point[key])];
      const step = `${pen}${x.toFixed(1)} ${y.toFixed(1)}h${(width / 2).toFixed(1)}`; // one alone is seen, too
      pen = "L";
      return step;
    });
    return shape("path", { class: `line tone-${tone}`, d: steps.join("") });
  }

  #indexAt(x) {
    const index = Math.floor(((x - LEFT) / this.#plotWidth()) * this.#points.length);
    return index >= 0 && index < this.#points.length ? index : -1;
  }

  /** Tell one point in words, or the sums of all. */
  #point(index) {
    this.#at = index < this.#points.length ? index : -1;
    const read = this.#points[this.#at];
    this.cursor?.setAttribute("width", read ? Math.max(2, this.#plotWidth() / this.#points.length) : 0);
    if (read) this.cursor.setAttribute("x", this.scale.x(this.#at));
    const values = this.series.map((one) => `${one.label} ${this.written(read ? read[one.key] : this.#whole(one.key))}`);
    setText(this.#readout, `${read ? `From ${absolute(read.at)}` : "Whole period"}: ${values.join(", ")}`);
    this.#svg.setAttribute("aria-label", `${this.title}. ${this.#readout.textContent}. Arrow keys read single points.`);
  }

  /** Of counts the sum, of longest times the longest, of averages the average of what is not empty. */
  #whole(key) {
    const values = this.#points.map((point) => point[key]);
    if (key.endsWith("_max")) return Math.max(0, ...values);
    const sum = values.reduce((total, value) => total + value, 0);
    return key.endsWith("_avg") ? sum / Math.max(1, values.filter(Boolean).length) : sum;
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !this.#points.length) return;
    event.preventDefault();
    const from = this.#at < 0 ? (step < 0 ? this.#points.length : -1) : this.#at;
    this.#point(Math.min(this.#points.length - 1, Math.max(0, from + step)));
  }

  #fillTable(open) {
    if (!open) return;
    const row = (point) => h("tr", {}, h("th", { scope: "row" }, absolute(point.at)), this.series.map((one) => h("td", { class: "number" }, this.written(point[one.key]))));
    replace(this.#rows, [...this.#points].reverse().map(row));
  }
}

function legend(series) {
  return h("ul", { role: "list", class: "legend" }, series.map((one) => h("li", { class: `tone-${one.tone} ${one.kind}` }, one.label)));
}

/** The next of 1, 2, 4, 6, 10, 20, … : its half is a whole number, or a short one. */
function roundUp(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 10].find((step) => step * unit >= value) * unit;
}

function words(text, attributes) {
  const element = shape("text", attributes);
  element.textContent = text;
  return element;
}

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

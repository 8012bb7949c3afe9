/* What the indicator looks like: wheels and a name or a number, a list of the tasks, messages of ends.
   Texts of tasks are strangers' and stay text: nothing here ever parses HTML. */

import { away, beside, follow, inFront } from "./indicator-place.js";
import { sheet } from "./indicator-style.js";
import { WORDS } from "./indicator-words.js";

const SVG = "http://www.w3.org/2000/svg";
const HIDE_MILLISECONDS = 250;
const TOAST_SECONDS = 8;
const MOST_TOASTS = 3;
const MOST_LISTED = 10;

export class IndicatorView {
  #words = WORDS;
  #rows = new Map(); // by id of the task
  #hiding = 0;
  #open = new AbortController(); // ends when the list is closed
  #pinned = false; // a click opened the list, and not only the pointer over it
  #unseen = 0; // messages that newer ones drove out
  #spoken = make("div", { class: "spoken", role: "status" });
  #label = make("span", { class: "label", part: "label" });
  #button = make("button", { type: "button", class: "button", part: "button", "aria-expanded": "false", "aria-controls": "list" }, wheels(), this.#label);
  #list = make("ul", { role: "list" });
  #more = make("a", { class: "more", target: "_blank", rel: "noopener" });
  #panel = make("div", { id: "list", class: "panel", part: "panel", role: "group", popover: "manual" }, this.#list, this.#more);
  #box = make("div", { class: "box", part: "box", hidden: "" }, this.#button, this.#panel);
  #others = make("a", { class: "others", target: "_blank", rel: "noopener", hidden: "" });
  #toasts = make("div", { class: "toasts", part: "toasts", popover: "manual" }, this.#others);

  /** Address of the application: tasks have their pages there. */
  root = "";

  /** @param {ShadowRoot} shadow */
  constructor(shadow) {
    shadow.adoptedStyleSheets = [sheet];
    shadow.append(this.#box, this.#toasts, this.#spoken);
    this.#panel.setAttribute("aria-label", this.#words.label);
    this.#button.addEventListener("click", (event) => this.#click(event));
    this.#box.addEventListener("pointerenter", ({ pointerType }) => pointerType !== "touch" && this.#expand(true));
    this.#box.addEventListener("pointerleave", () => this.#expandLater(false));
    this.#button.addEventListener("focus", () => this.#button.matches(":focus-visible") && this.#expand(true));
    this.#box.addEventListener("focusout", ({ relatedTarget }) => this.#box.contains(relatedTarget) || this.#expandLater(false));
    this.#box.addEventListener("keydown", (event) => this.#key(event));
  }

  set words(words) {
    this.#words = { ...WORDS, ...words };
    this.#panel.setAttribute("aria-label", this.#words.label);
    this.#rows.clear();
  }

  /** Show these tasks and no others; nothing at all when there are none. */
  show(tasks) {
    const words = this.#words;
    this.#box.hidden = tasks.length === 0;
    if (tasks.length === 0) this.#expand(false);
    const one = tasks.length === 1;
    write(this.#label, one ? words.one(tasks[0].title) : words.several(tasks.length));
    const spoken = one ? words.oneInWords(tasks[0].title) : words.severalInWords(tasks.length);
    if (this.#button.getAttribute("aria-label") !== spoken) this.#button.setAttribute("aria-label", spoken);
    this.#fill(tasks.slice(0, MOST_LISTED));
    write(this.#more, tasks.length > MOST_LISTED ? words.more(tasks.length - MOST_LISTED) : "");
    if (this.#more.href !== this.root) this.#more.href = this.root;
    if (this.#isExpanded) beside(this.#panel, this.#button);
  }

  /** Tell screen readers, when they have nothing else to say. */
  announce(task, kind) {
    const text = this.#words[`${kind}Spoken`](task.title, this.#words[task.state].toLowerCase());
    this.#spoken.append(make("p", {}, text));
    while (this.#spoken.childElementCount > MOST_TOASTS) this.#spoken.firstElementChild.remove();
  }

  /** Show for a while that a task has ended; that it failed, until the message is closed. */
  toast(task) {
    const close = make("button", { type: "button", class: "close", "aria-label": this.#words.close }, "×");
    const head = make("p", { class: "head" }, make("strong", {}, task.title), ` – ${this.#words[task.state]}`);
    const toast = make("div", { class: `toast ${task.state}`, part: "toast" }, head, close);
    if (task.response) head.after(make("p", { class: "response" }, task.response));
    toast.append(this.#link(task, this.#words.open));
    close.addEventListener("click", () => this.#takeAway(toast));
    this.#others.before(toast);
    if (this.#toasts.childElementCount > MOST_TOASTS + 1) {
      this.#unseen += 1;
      this.#toasts.firstElementChild.remove();
    }
    this.#tellOthers();
    inFront(this.#toasts);
    if (task.state !== "failed") onceRead(toast, () => this.#takeAway(toast));
  }

  #takeAway(toast) {
    toast.remove();
    if (this.#toasts.childElementCount > 1) return;
    this.#unseen = 0;
    away(this.#toasts);
  }

  /** Of ends that came too close together to be read, the list of tasks tells. */
  #tellOthers() {
    this.#others.hidden = this.#unseen === 0;
    this.#others.href = this.root;
    write(this.#others, this.#words.others(this.#unseen));
  }

  /** Bring the rows up to date without making anew what stays, for the keyboard's focus may be in it. */
  #fill(tasks) {
    for (const id of this.#rows.keys()) if (!tasks.some((task) => task.id === id)) this.#rows.delete(id);
    const rows = tasks.map((task) => this.#row(task));
    for (const child of [...this.#list.children]) if (!rows.includes(child)) child.remove();
    rows.forEach((row, place) => {
      if (this.#list.children[place] !== row) this.#list.insertBefore(row, this.#list.children[place] ?? null);
    });
  }

  #row(task) {
    if (!this.#rows.has(task.id)) this.#rows.set(task.id, this.#newRow(task));
    const row = this.#rows.get(task.id);
    const [link, state, bar, percent, progress] = ["a", ".state", "progress", ".percent", ".progress"].map((name) => row.querySelector(name));
    write(link, task.title);
    write(state, this.#words[task.stopping ? "stopping" : task.state]);
    bar.setAttribute("aria-label", task.title);
    if (task.percent > 0) bar.value = task.percent;
    else bar.removeAttribute("value");
    bar.hidden = task.state !== "started";
    write(percent, task.percent > 0 ? `${task.percent} %` : "");
    write(progress, task.progress);
    return row;
  }

  #newRow(task) {
    return make("li", { class: "row" },
      this.#link(task, ""), make("span", { class: "state" }),
      make("progress", { max: "100" }), make("span", { class: "percent" }), make("span", { class: "progress" }));
  }

  #link(task, text) {
    return make("a", { href: new URL(`tasks/${task.number}`, this.root).href, target: "_blank", rel: "noopener" }, text);
  }

  get #isExpanded() {
    return this.#button.getAttribute("aria-expanded") === "true";
  }

  /** A click opens and closes the list; the first one of a pointer, which has opened it already, keeps it open. */
  #click({ detail }) {
    const isFirst = detail > 0 && !this.#pinned;
    this.#expand(!this.#isExpanded || isFirst);
    this.#pinned = this.#isExpanded;
  }

  #expand(yes) {
    clearTimeout(this.#hiding);
    if (yes === this.#isExpanded) return;
    this.#pinned = false;
    this.#button.setAttribute("aria-expanded", String(yes));
    this.#open.abort();
    if (!yes) return away(this.#panel);
    this.#open = new AbortController();
    inFront(this.#panel);
    follow(this.#panel, this.#button, this.#open.signal);
  }

  #expandLater(yes) {
    clearTimeout(this.#hiding);
    this.#hiding = setTimeout(() => this.#box.matches(":hover, :focus-within") || this.#expand(yes), HIDE_MILLISECONDS);
  }

  #key(event) {
    if (event.key !== "Escape" || !this.#isExpanded) return;
    event.stopPropagation(); // a dialog around us stays open
    this.#button.focus();
    this.#expand(false);
  }
}

/** Do something when a message could be read for a while: seconds under the pointer or of a page that nobody sees do not count. */
function onceRead(toast, done) {
  let seconds = 0;
  const timer = setInterval(() => {
    if (document.hidden || toast.matches(":hover, :focus-within")) return;
    seconds += 1;
    if (seconds < TOAST_SECONDS) return;
    clearInterval(timer);
    done();
  }, 1000);
}

function wheels() {
  const svg = shape("svg", { viewBox: "0 0 32 24", width: "1.6em", height: "1.2em", class: "wheels", part: "wheels", "aria-hidden": "true" });
  svg.append(wheel(10, 12, 9, 8, "large"), wheel(24.5, 7.5, 6, 6, "small"));
  return svg;
}

/** A gear wheel: teeth around a ring with a hole. */
function wheel(x, y, radius, teeth, name) {
  const step = Math.PI / teeth;
  const corner = (angle, length) => `${(x + length * Math.cos(angle)).toFixed(2)} ${(y + length * Math.sin(angle)).toFixed(2)}`;
  const corners = Array.from({ length: teeth }, (_, tooth) => {
    const angle = 2 * step * tooth;
    return [[-0.55, 0.76], [-0.3, 1], [0.3, 1], [0.55, 0.76]].map(([turn, length]) => corner(angle + turn * step, length * radius));
  });
  const hole = radius * 0.32;
  const ring = `M${x - hole} ${y}a${hole} ${hole} 0 1 0 ${2 * hole} 0a${hole} ${hole} 0 1 0 ${-2 * hole} 0Z`;
  return shape("path", { d: `M${corners.flat().join("L")}Z${ring}`, "fill-rule": "evenodd", class: `wheel ${name}` });
}

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/* What the indicator looks like: wheels and a name or a number, a list of the tasks, messages of ends.
   Texts of tasks are strangers' and stay text: nothing here ever parses HTML. */

import { sheet } from "./indicator-style.js";
import { WORDS } from "./indicator-words.js";

const SVG = "http://www.w3.org/2000/svg";
const HIDE_MILLISECONDS = 250;
const TOAST_SECONDS = 8;
const MOST_TOASTS = 3;
const MOST_LISTED = 10;
const EDGE_PIXELS = 8;

export class IndicatorView {
  #words = WORDS;
  #rows = new Map(); // by id of the task
  #hiding = 0;
  #spoken = make("div", { class: "spoken", role: "status" });
  #label = make("span", { class: "label", part: "label" });
  #button = make("button", { type: "button", class: "button", part: "button", "aria-expanded": "false", "aria-controls": "list" }, wheels(), this.#label);
  #list = make("ul", { role: "list" });
  #more = make("p", { class: "more" });
  #panel = make("div", { id: "list", class: "panel", part: "panel", role: "group", hidden: "" }, this.#list, this.#more);
  #box = make("div", { class: "box", part: "box", hidden: "" }, this.#button, this.#panel);
  #toasts = make("div", { class: "toasts", part: "toasts" });

  /** Address of the application: tasks have their pages there. */
  root = "";

  /** @param {ShadowRoot} shadow */
  constructor(shadow) {
    shadow.adoptedStyleSheets = [sheet];
    shadow.append(this.#box, this.#toasts, this.#spoken);
    this.#panel.setAttribute("aria-label", this.#words.label);
    this.#button.addEventListener("click", () => this.#expand(this.#panel.hidden));
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
  }

  /** Tell screen readers, when they have nothing else to say. */
  announce(task, kind) {
    const text = this.#words[`${kind}Spoken`](task.title, this.#words[task.state].toLowerCase());
    this.#spoken.append(make("p", {}, text));
    while (this.#spoken.childElementCount > MOST_TOASTS) this.#spoken.firstElementChild.remove();
  }

  /** Show for a while that a task has ended. */
  toast(task) {
    const close = make("button", { type: "button", class: "close", "aria-label": this.#words.close }, "×");
    const head = make("p", { class: "head" }, make("strong", {}, task.title), ` – ${this.#words[task.state]}`);
    const toast = make("div", { class: `toast ${task.state}`, part: "toast" }, head, close);
    if (task.response) head.after(make("p", { class: "response" }, task.response));
    toast.append(this.#link(task, this.#words.open));
    close.addEventListener("click", () => toast.remove());
    this.#toasts.append(toast);
    while (this.#toasts.childElementCount > MOST_TOASTS) this.#toasts.firstElementChild.remove();
    removeUnlessUsed(toast);
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
    write(state, this.#words[task.state]);
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

  #expand(yes) {
    clearTimeout(this.#hiding);
    this.#panel.hidden = !yes;
    this.#button.setAttribute("aria-expanded", String(yes));
    if (yes) this.#keepInside();
  }

  #expandLater(yes) {
    clearTimeout(this.#hiding);
    this.#hiding = setTimeout(() => this.#box.matches(":hover, :focus-within") || this.#expand(yes), HIDE_MILLISECONDS);
  }

  /** The list hangs from the right edge; where there is no room to the left, from the left one. */
  #keepInside() {
    this.#panel.classList.remove("from-left");
    if (this.#panel.getBoundingClientRect().left < EDGE_PIXELS) this.#panel.classList.add("from-left");
  }

  #key(event) {
    if (event.key !== "Escape" || this.#panel.hidden) return;
    event.stopPropagation(); // a dialog around us stays open
    this.#button.focus();
    this.#expand(false);
  }
}

/** Take a message away after a while, but not from under the pointer or the keyboard. */
function removeUnlessUsed(toast) {
  setTimeout(() => (toast.matches(":hover, :focus-within") ? removeUnlessUsed(toast) : toast.remove()), TOAST_SECONDS * 1000);
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

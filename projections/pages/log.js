/* The lines that a task logged; followed while it runs. Of many only the last ones are drawn, unless all are asked for. */

import { absolute, api, h, replace, setText } from "./kit.js";

const FOLLOW_SECONDS = 2;
const LATE_SECONDS = 10;
const MOST_DRAWN = 1000;
const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const COLOURS = /\u001b\[[\d;]*[A-Za-z]/g; // that programs write for terminals
const SERIOUS = new Set(["warning", "error", "critical"]);

export class Log {
  #lines = [];
  #wanted = 0; // lines of the chosen level
  #last = null; // the last line that is drawn
  #whole = false;
  #list = h("ol", { role: "list", class: "card log", tabindex: 0, "aria-label": "Log lines" });
  #level = h("select", { "aria-label": "Lines to show", onchange: () => this.#draw() },
    h("option", { value: "all" }, "All lines"), h("option", { value: "serious" }, "Warnings and errors"));
  #earlier = h("button", { type: "button", class: "plain link", hidden: true, onclick: () => this.#drawWhole() });
  #timer = 0;

  /** @param {string} taskId */
  constructor(taskId) {
    this.taskId = taskId;
    const tools = h("div", { class: "row" }, this.#earlier, this.#level);
    this.element = h("section", { hidden: true }, h("div", { class: "section-head" }, h("h2", {}, "Log"), tools), this.#list);
  }

  /** Read the lines that came since the last reading. */
  async read() {
    const before = this.#lines.length;
    for (let next = before; next !== null; ) {
      const page = await api(`tasks/${this.taskId}/log`, { query: { after: next } });
      this.#lines.splice(next, Infinity, ...page.lines);
      next = page.next_after;
    }
    if (this.#lines.length === before) return;
    this.element.hidden = false;
    this.#add(this.#lines.slice(before));
  }

  /** Go on reading for as long as the task runs and somebody looks; the last lines come a little after the end. */
  follow(task) {
    clearInterval(this.#timer);
    const until = task.state === "started" ? Infinity : Date.parse(task.updated_at) + LATE_SECONDS * 1000;
    this.#timer = setInterval(() => {
      if (Date.now() > until) clearInterval(this.#timer);
      if (!document.hidden) this.read().catch(() => {});
    }, FOLLOW_SECONDS * 1000);
  }

  #drawWhole() {
    this.#whole = true;
    this.#draw();
    this.#list.scrollTop = 0;
    this.#list.focus();
  }

  #draw() {
    replace(this.#list);
    this.#wanted = 0;
    this.#last = null;
    this.#add(this.#lines);
  }

  /** Draw lines behind those that are there; whoever reads the end keeps seeing it. */
  #add(lines) {
    const atEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 40;
    const wanted = lines.filter((line) => this.#level.value === "all" || SERIOUS.has(line.level));
    if (wanted.length && !this.#wanted) replace(this.#list);
    this.#wanted += wanted.length;
    for (const line of this.#whole ? wanted : wanted.slice(-MOST_DRAWN)) {
      this.#list.append(...entry(line, this.#last));
      this.#last = line;
    }
    if (!this.#wanted) replace(this.#list, h("li", { class: "between" }, "No such lines."));
    this.#cut();
    if (atEnd) this.#list.scrollTop = this.#list.scrollHeight;
  }

  #cut() {
    while (!this.#whole && this.#list.childElementCount > MOST_DRAWN) this.#list.firstElementChild.remove();
    const drawn = this.#list.querySelectorAll(":scope > :not(.between)").length;
    const left = this.#wanted - drawn;
    this.#earlier.hidden = left === 0;
    setText(this.#earlier, `Show ${left.toLocaleString()} earlier lines, too`);
  }
}

function entry(line, before) {
  const time = h("time", { datetime: line.logged_at, title: absolute(line.logged_at) }, TIME.format(new Date(line.logged_at)));
  const one = h("li", { class: line.level }, time, h("span", { class: "level" }, line.level), h("p", { class: "words" }, line.text.replaceAll(COLOURS, "")));
  return before?.attempt === line.attempt ? [one] : [h("li", { class: "between" }, `Attempt ${line.attempt}`), one];
}

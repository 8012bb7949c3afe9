/* The lines that a task logged; followed while it runs. */

import { absolute, api, h, replace } from "./kit.js";

const FOLLOW_SECONDS = 2;
const LATE_SECONDS = 10;
const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const COLOURS = /\u001b\[[\d;]*[A-Za-z]/g; // that programs write for terminals
const SERIOUS = new Set(["warning", "error", "critical"]);

export class Log {
  #lines = [];
  #list = h("ol", { role: "list", class: "card log", tabindex: 0, "aria-label": "Log lines" });
  #level = h("select", { "aria-label": "Lines to show", onchange: () => this.#draw() },
    h("option", { value: "all" }, "All lines"), h("option", { value: "serious" }, "Warnings and errors"));
  #timer = 0;

  /** @param {string} taskId */
  constructor(taskId) {
    this.taskId = taskId;
    this.element = h("section", { hidden: true }, h("div", { class: "section-head" }, h("h2", {}, "Log"), this.#level), this.#list);
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
    this.#draw();
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

  #draw() {
    const atEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 40;
    const shown = this.#lines.filter((line) => this.#level.value === "all" || SERIOUS.has(line.level));
    replace(this.#list, shown.length ? shown.map((line, place) => entry(line, shown[place - 1])) : h("li", { class: "between" }, "No such lines."));
    if (atEnd) this.#list.scrollTop = this.#list.scrollHeight;
  }
}

function entry(line, before) {
  const attempt = before?.attempt === line.attempt ? null : h("li", { class: "between" }, `Attempt ${line.attempt}`);
  const time = h("time", { datetime: line.logged_at, title: absolute(line.logged_at) }, TIME.format(new Date(line.logged_at)));
  return [attempt, h("li", { class: line.level }, time, h("span", { class: "level" }, line.level), h("p", { class: "words" }, line.text.replaceAll(COLOURS, "")))];
}

/* What happened to a task, in the order in which it happened. */

import { absolute, api, h, localTimes, patch, said } from "./kit.js";

/* Of a long task there are thousands: hidden unless asked for. */
const MINOR = new Set(["ProgressReported", "CheckpointSaved"]);
const TONES = {
  TaskSucceeded: "good", TaskFailed: "bad", AttemptFailed: "bad", AttemptTimedOut: "bad", AttemptLost: "bad", AttemptStarted: "accent",
};
const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

export class Timeline {
  #list = h("ol", { role: "list", class: "card timeline" });
  #all = h("input", { type: "checkbox", onchange: () => this.#draw() });
  #choice = h("label", {}, this.#all, "progress");
  #events = [];

  constructor() {
    this.element = h("section", {}, h("div", { class: "section-head" }, h("h2", {}, "What happened"), this.#choice), this.#list);
  }

  /** Read what happened since the last reading, and return all of it. */
  async read(taskId) {
    for (let after = this.#events.at(-1)?.version; after !== null; ) {
      const page = await api(`tasks/${taskId}/events`, { query: { after } });
      this.#events.push(...page.events);
      after = page.next_after;
    }
    this.#choice.hidden = !this.#events.some((event) => MINOR.has(event.type));
    this.#draw();
    return this.#events;
  }

  #draw() {
    const shown = this.#events.filter((event) => this.#all.checked || !MINOR.has(event.type));
    patch(this.#list, shown.map((event) => event.version), () => shown.map((event, place) => entry(event, shown[place - 1])));
  }
}

function entry(event, before) {
  const at = new Date(event.occurred_at);
  const sameDay = before && new Date(before.occurred_at).toDateString() === at.toDateString();
  const day = sameDay || (!before && at.toDateString() === new Date().toDateString()) ? "" : `${DAY.format(at)}, `;
  const text = said(localTimes(event.text));
  if (MINOR.has(event.type)) text.classList.add("minor");
  return h("li", { class: TONES[event.type] ?? null }, text, h("time", { datetime: event.occurred_at, title: absolute(event.occurred_at) }, day, TIME.format(at)));
}

/* The attempts of a task: when, how long, where, and what came of each. */

import { absolute, clock, elapsed, h, patch, said, seconds, until } from "./kit.js";

const TONES = { succeeded: "good", passed: "good", failed: "bad", "timed-out": "bad", lost: "bad", "out-of-memory": "bad", "cut-off": "warn" };

export class Attempts {
  #body = h("tbody");

  constructor() {
    const columns = ["Attempt", "Started", "Took", "Outcome", "Worker"];
    const table = h("table", { class: "cards" }, h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name)))), this.#body);
    this.element = h("section", { hidden: true }, h("h2", {}, "Attempts"), h("div", { class: "card scrolls" }, table));
  }

  show(attempts) {
    this.element.hidden = attempts.length === 0;
    // What was unfolded stays so: rows are made anew only when an attempt began or ended.
    patch(this.#body, attempts.map((one) => [one.fence, one.ended_at, one.outcome]), () => attempts.map(row));
  }
}

function row(attempt) {
  const took = attempt.ended_at ? elapsed(seconds(attempt.started_at, attempt.ended_at)) : until(attempt.started_at);
  const cell = (label, ...content) => h("td", { "data-label": label }, h("div", {}, ...content));
  return h("tr", {},
    cell("Attempt", String(attempt.attempt)),
    cell("Started", h("time", { datetime: attempt.started_at, title: absolute(attempt.started_at) }, clock(attempt.started_at))),
    cell("Took", took),
    cell("Outcome", outcome(attempt)),
    cell("Worker", ...worker(attempt.worker)));
}

/** Workers are called host/process/instance. */
function worker(name) {
  const [host, process] = name.split("/");
  return [h("div", { class: "host", title: name }, host), process && h("div", { class: "soft" }, `process ${process}`)];
}

function outcome(attempt) {
  const word = attempt.outcome ? attempt.outcome.replaceAll("-", " ") : "running";
  const details = h("details", { class: "detail" }, h("summary", {}, "Details"), h("pre", { tabindex: 0 }, attempt.detail));
  return [
    h("span", { class: `badge ${TONES[attempt.outcome] ?? (attempt.outcome ? "" : "accent")}` }, word),
    attempt.message && said(attempt.message),
    attempt.detail && details,
  ];
}

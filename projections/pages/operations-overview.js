/* The first view of Operations: how much there is, what is wrong, who works, how it went. Asked for anew every 5 s. */

import { api, clock, elapsed, h, here, notice, patch, replace } from "./kit.js";
import { chartsSection } from "./operations-charts.js";
import { pauseAll } from "./operations-pause.js";
import { QueuesTable } from "./operations-queues.js";
import { troubles } from "./operations-troubles.js";
import { WorkersTable } from "./operations-workers.js";

const SECONDS = 5;

/** Show the view, and keep it up to date for as long as somebody looks. */
export async function overview(element) {
  const view = new Overview();
  await view.read();
  replace(element, view.figures, chartsSection(), view.workers.element, view.queues.element);
  setInterval(() => document.hidden || view.readAgain(), SECONDS * 1000);
  document.addEventListener("visibilitychange", () => document.hidden || view.readAgain());
}

class Overview {
  #notices = document.querySelector("#notices");
  #actions = document.querySelector("#actions");
  #heardAt = new Date();
  #asking = false;
  figures = h("dl", { class: "figures" });
  workers = new WorkersTable(() => this.readAgain());
  queues = new QueuesTable();

  async read() {
    const [state, { workers }, queues, pause] = await Promise.all(["overview", "workers", "queues", "pause"].map((path) => api(path)));
    this.#heardAt = new Date();
    patch(this.figures, state, () => FIGURES.map((figure) => figureOf(figure, state)));
    patch(this.#notices, [troubles(state, queues, pause)], () => troubles(state, queues, pause).map(([tone, text]) => notice(tone, withCode(text))));
    patch(this.#actions, pause, () => pauseAll(pause, () => this.readAgain()));
    this.workers.show(workers);
    this.queues.show(queues);
  }

  /** Read once more; when nobody answers, what was read stays, with a notice that says how old it is. */
  async readAgain() {
    if (this.#asking) return;
    this.#asking = true;
    try {
      await this.read();
    } catch (problem) {
      const old = `${problem.message} What is shown is from ${clock(this.#heardAt)}.`;
      patch(this.#notices, old, () => notice("bad", old));
    } finally {
      this.#asking = false;
    }
  }
}

/** Commands stand between backticks. */
function withCode(text) {
  return text.split("`").map((part, place) => (place % 2 ? h("code", {}, part) : part));
}

const FIGURES = [
  { name: "Waiting", value: (state) => state.waiting, more: (state) => state.oldest_waiting_seconds !== null && `oldest ${elapsed(state.oldest_waiting_seconds)}`, view: "tasks&state=waiting" },
  { name: "Running", value: (state) => state.started, more: (state) => `${state.slots_busy} of ${state.slots} slots`, view: "tasks&state=started" },
  { name: "Due later", value: (state) => state.delayed, more: () => "or tried again", view: "tasks&state=waiting" },
  { name: "Done today", value: (state) => state.succeeded_today, more: () => "since midnight", view: "tasks&state=succeeded" },
  { name: "Failed today", value: (state) => state.failed_today, more: () => "since midnight", view: "dead", tone: (state) => state.failed_today > 0 && "bad" },
  { name: "Failed or stopped", value: (state) => state.dead, more: () => "not yet removed", view: "dead" },
  { name: "Workers", value: (state) => state.workers_alive, more: (state) => (state.paused ? "paused" : "alive"), tone: (state) => state.workers_alive === 0 && "bad" },
];

function figureOf({ name, value, more, view, tone = () => null }, state) {
  const number = value(state).toLocaleString();
  return h("div", { class: `card figure ${tone(state) || ""}` },
    h("dt", {}, name),
    h("dd", {}, view ? h("a", { href: here(`operations?view=${view}`) }, number) : number),
    h("dd", { class: "more-words" }, more(state) || ""));
}


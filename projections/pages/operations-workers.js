/* Workers: which are there, whether they live, and what runs in them. */

import { h, here, icon, patch, sinceThen, until } from "./kit.js";
import { pauseWorker } from "./operations-pause.js";

const MOST_SHOWN = 8; // tasks of one worker

export class WorkersTable {
  #body = h("tbody");
  #rows = new Map(); // by id; changed in place, so that a button keeps its focus
  #changed;

  /** @param {() => void} changed called when a worker was paused or resumed */
  constructor(changed) {
    this.#changed = changed;
    const columns = ["Worker", "State", "Slots", "In hand", "Started", ""];
    const head = h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name || h("span", { class: "visually-hidden" }, "Actions")))));
    this.element = h("section", {}, h("h2", {}, "Workers"), h("div", { class: "card scrolls" }, h("table", { class: "cards" }, head, this.#body)));
  }

  show(workers) {
    for (const worker of workers) {
      if (!this.#rows.has(worker.id)) this.#rows.set(worker.id, h("tr", {}, CELLS.map(([label]) => h("td", { "data-label": label }, h("div")))));
      CELLS.forEach(([, key, make], place) => {
        patch(this.#rows.get(worker.id).children[place].firstChild, key(worker), () => make(worker, this.#changed));
      });
    }
    const ids = workers.map((worker) => worker.id);
    patch(this.#body, ids, () => (ids.length ? ids.map((id) => this.#rows.get(id)) : nobody()));
  }
}

/* Label, what the cell depends on, the cell's content. */
const CELLS = [
  ["Worker", (worker) => worker.name, (worker) => [h("strong", {}, worker.host), h("div", { class: "soft" }, `process ${worker.pid}, version ${worker.version}`)]],
  ["State", ({ alive, paused, draining }) => [alive, paused, draining], state],
  ["Slots", ({ slots, running }) => [slots, running.length], slots],
  ["In hand", ({ alive, running }) => [alive, running], inHand],
  ["Started", (worker) => worker.started_at, (worker) => sinceThen(worker.started_at)],
  ["", ({ alive, paused, draining }) => [alive, paused, draining], (worker, changed) => worker.alive && !worker.draining && pauseWorker(worker, changed)],
];

function nobody() {
  return h("tr", {}, h("td", { colspan: 6, class: "soft" }, "No worker has been here for a day."));
}

function state(worker) {
  const badge = (tone, sign, words) => h("span", { class: `badge ${tone}` }, icon(sign, 14), words);
  if (!worker.alive) return [badge("bad", "offline", "Gone"), h("div", { class: "soft" }, "last heard of ", sinceThen(worker.seen_at))];
  if (worker.draining) return badge("warn", "leave", "Stopping");
  return worker.paused ? badge("warn", "pause", "Paused") : badge("good", "check", "Working");
}

function slots(worker) {
  const used = worker.running.length;
  return [
    h("meter", { min: 0, max: Math.max(worker.slots, used, 1), value: used, "aria-label": "Slots in use" }),
    h("span", { class: "soft" }, ` ${used} of ${worker.slots}`),
  ];
}

function inHand(worker) {
  const shown = worker.running.slice(0, MOST_SHOWN).map((task) => h("li", {},
    h("a", { class: "words", href: here(`tasks/${task.number}`) }, task.title),
    h("span", { class: "soft" }, ` ${task.owner_name || "system"}, `, until(task.started_at), task.percent > 0 && `, ${task.percent} %`)));
  const more = worker.running.length - shown.length;
  if (!shown.length) return h("span", { class: "soft" }, worker.alive ? "nothing" : "nothing is left");
  return h("ul", { role: "list" }, shown, more > 0 && h("li", { class: "soft" }, `and ${more} more`));
}

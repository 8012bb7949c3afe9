/* The broker's queues: how full, how old, who takes from them. */

import { elapsed, h, patch } from "./kit.js";

export class QueuesTable {
  #body = h("tbody");

  constructor() {
    const head = h("thead", {}, h("tr", {},
      h("th", { scope: "col" }, "Queue"), ...["Waiting", "In hand", "Oldest", "Consumers"].map((name) => h("th", { scope: "col", class: "number" }, name))));
    this.element = h("section", {}, h("h2", {}, "Queues"), h("div", { class: "card scrolls" }, h("table", { class: "cards" }, head, this.#body)));
  }

  show({ queues }) {
    patch(this.#body, queues, () => queues.map(row));
  }
}

function row(queue) {
  const number = (label, value) => h("td", { class: "number", "data-label": label }, h("div", {}, value ?? h("span", { class: "soft", title: "Could not be found out" }, "–")));
  return h("tr", {},
    h("td", { "data-label": "Queue" }, h("div", {}, h("span", { class: "mono" }, queue.name), h("div", { class: "soft" }, queue.what))),
    number("Waiting", queue.messages?.toLocaleString()),
    number("In hand", queue.unsettled?.toLocaleString()),
    number("Oldest", queue.oldest_seconds === null ? null : elapsed(queue.oldest_seconds)),
    number("Consumers", queue.consumers?.toLocaleString()));
}

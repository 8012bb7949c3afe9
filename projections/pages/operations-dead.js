/* Tasks that failed or were stopped: how many of which kind and why, and starting them again. */

import { api, clock, h, here, icon, notice, replace, sinceThen } from "./kit.js";
import { bulk } from "./operations-bulk.js";

const PAGE = 50;
export const CAUSE_WORDS = {
  error: "Error", "time-limit": "Time limit", memory: "Memory limit", "lost-worker": "Lost worker", rejected: "Rejected", stopped: "Stopped by somebody",
};

/** Show the view. */
export async function deadView(element) {
  const view = new Dead(new URLSearchParams(location.search));
  await view.start(element);
}

class Dead {
  #choice; // {name, cause}, each "" for any
  #next = null;
  #list = h("tbody");
  #groups = h("tbody");
  #said = h("div", { class: "row" });
  #more = h("button", { type: "button", hidden: true, onclick: () => this.#load(this.#next) }, "Show older tasks");

  constructor(asked) {
    this.#choice = { name: asked.get("name") ?? "", cause: asked.get("cause") ?? "" };
  }

  async start(element) {
    await Promise.all([this.#loadGroups(), this.#load()]);
    replace(element,
      h("section", {}, h("h2", {}, "By kind and cause"), tableOf(["Kind", "Cause", "What it said", "Tasks", "Last", ""], this.#groups)),
      h("section", {}, h("div", { class: "section-head" }, h("h2", {}, "Tasks"), this.#said), tableOf(["No.", "Task", "Cause", "What it said", "Attempts", "Ended", ""], this.#list), h("p", { class: "more" }, this.#more)));
  }

  async #loadGroups() {
    const { groups } = await api("dead/groups", { query: { limit: 50 } });
    replace(this.#groups, groups.length ? groups.map((group) => this.#group(group)) : nothing(6, "Nothing has failed, and nothing was stopped."));
  }

  #group(group) {
    const choice = { name: group.name, cause: group.cause };
    const actions = h("div", { class: "row" },
      h("button", { type: "button", onclick: () => this.#choose(choice) }, "Show"),
      h("button", { type: "button", onclick: () => this.#replay(choice), title: "All tasks of this kind and cause" }, icon("replay", 14), "Start again"));
    return h("tr", {},
      cell("Kind", group.name), cell("Cause", cause(group)), cell("What it said", h("p", { class: "words" }, group.message)), cell("Tasks", group.count.toLocaleString()),
      cell("Last", h("a", { href: here(`tasks/${group.newest}`) }, sinceThen(group.last_ended_at))), cell("", actions));
  }

  async #choose(choice) {
    this.#choice = choice;
    const asked = new URLSearchParams({ view: "dead", ...(choice.name && { name: choice.name }), ...(choice.cause && { cause: choice.cause }) });
    history.replaceState(null, "", `?${asked}`);
    await this.#load();
  }

  /** Read a page; the first one takes the place of what is shown. */
  async #load(before = null) {
    try {
      const { tasks, next_before: next } = await api("dead", { query: { ...this.#choice, before, limit: PAGE } });
      if (before === null) replace(this.#list);
      this.#list.append(...tasks.map((task) => this.#task(task)));
      if (!this.#list.childElementCount) replace(this.#list, nothing(7, "No matching task."));
      this.#next = next;
      this.#more.hidden = next === null;
      replace(document.querySelector("#notices"));
      replace(this.#said, this.#filter());
    } catch (problem) {
      replace(document.querySelector("#notices"), notice("bad", problem.message));
    }
  }

  #filter() {
    const { name, cause: why } = this.#choice;
    if (!name && !why) return null;
    const words = [name, why && (CAUSE_WORDS[why] ?? why)].filter(Boolean).join(", ");
    return h("button", { type: "button", title: "Show all", onclick: () => this.#choose({ name: "", cause: "" }) }, words, icon("close", 12));
  }

  #task(task) {
    return h("tr", {},
      cell("No.", String(task.batchtask_id)),
      cell("Task", h("a", { class: "words", href: here(`tasks/${task.batchtask_id}`) }, task.description || task.name), h("div", { class: "soft" }, task.name)),
      cell("Cause", cause(task)), cell("What it said", h("p", { class: "words" }, task.message)), cell("Attempts", String(task.startcount)),
      cell("Ended", h("time", { datetime: task.ended_at }, clock(task.ended_at))),
      cell("", h("button", { type: "button", "aria-label": `Start task ${task.batchtask_id} again`, onclick: () => this.#again({ ids: [task.task_id] }) }, icon("replay", 14), "Start again")));
  }

  #replay({ name, cause: why }) {
    return this.#again({ ...(name && { name }), causes: [why] });
  }

  async #again(choice) {
    if (await bulk("replay", choice)) await Promise.all([this.#loadGroups(), this.#load()]);
  }
}

function cause(one) {
  return h("span", { class: `badge ${one.cause === "stopped" ? "" : "bad"}` }, icon(one.cause === "stopped" ? "cancelled" : "failed", 14), CAUSE_WORDS[one.cause] ?? one.cause);
}

function tableOf(columns, body) {
  const head = h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name || h("span", { class: "visually-hidden" }, "Actions")))));
  return h("div", { class: "card scrolls" }, h("table", { class: "cards" }, head, body));
}

function cell(label, ...content) {
  return h("td", { "data-label": label }, h("div", {}, ...content));
}

function nothing(columns, words) {
  return h("tr", {}, h("td", { colspan: columns, class: "soft" }, words));
}

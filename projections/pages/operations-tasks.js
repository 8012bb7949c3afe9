/* All tasks of all users, with filters, in pages; those that are chosen are stopped or started again together. */

import { api, badge, elapsed, h, here, icon, notice, patch, progressBar, replace, seconds, sinceThen, until } from "./kit.js";
import { bulk } from "./operations-bulk.js";
import { STATES } from "./states.js";
import { ending, isOpen, waitsFor } from "./task-words.js";

const SECONDS = 5;
const PAGE = 50, MOST = 100; // tasks in an answer: as we ask at first, and as the server gives
const OPEN = ["waiting", "started"], DEAD = ["failed", "cancelled"];

/** Show the view, and keep its newest page up to date for as long as somebody looks. */
export async function tasksView(element) {
  const view = new Tasks(new URLSearchParams(location.search));
  await view.start(element);
  setInterval(() => document.hidden || view.refresh(), SECONDS * 1000);
}

class Tasks {
  #rows = new Map(); // by id, in no order
  #next = null;
  #notices = document.querySelector("#notices");
  #owner; // {id, name} or null
  #body = h("tbody");
  #chosen = h("div", { class: "row chosen", role: "status" });
  #more = h("button", { type: "button", hidden: true, onclick: () => this.#loadMore() }, "Show older tasks");
  #every = h("input", { type: "checkbox", "aria-label": "Choose all that are shown", onchange: () => this.#chooseAll() });

  constructor(asked) {
    const owner = asked.get("owner");
    this.#owner = owner === null ? null : { id: owner, name: `user ${owner}` };
    this.state = h("select", { "aria-label": "State" }, option("", "All states"), Object.entries(STATES).map(([state, { word }]) => option(state, word)));
    this.name = h("select", { "aria-label": "Kind of task" }, option("", "All kinds"));
    this.ownerChip = h("span");
    this.filters = h("form", { class: "filters", role: "search", onchange: ({ target }) => target.type !== "search" && this.#changed(), onsubmit: open }, this.state, this.name, this.ownerChip,
      h("input", { type: "search", name: "key", class: "key", placeholder: "Number or id, then Enter", "aria-label": "Open a task by its number or id", autocomplete: "off", maxlength: 40 }));
    this.state.value = asked.get("state") ?? "";
    this.wantedName = asked.get("name") ?? "";
  }

  async start(element) {
    const { definitions } = await api("definitions").catch(() => ({ definitions: [] }));
    const names = new Set([...definitions.map((definition) => definition.name), this.wantedName].filter(Boolean));
    this.name.append(...[...names].sort().map((name) => option(name, name)));
    this.name.value = this.wantedName;
    await this.#load();
    const columns = [h("th", { scope: "col" }, this.#every), ...["No.", "Task", "Owner", "State", "What it says", "Submitted", "Took"].map((name) => h("th", { scope: "col" }, name))];
    const table = h("table", { class: "cards tasks-table" }, h("thead", {}, h("tr", {}, columns)), this.#body);
    replace(element, this.filters, this.#chosen, h("div", { class: "card scrolls" }, table), h("p", { class: "more" }, this.#more));
    this.#body.addEventListener("change", () => this.#tellChosen());
  }

  /** Read again what is shown. What somebody loads meanwhile stays. */
  async refresh() {
    const shown = new Set(this.#rows.keys()), asked = location.search;
    try {
      const { tasks, next } = await this.#read(shown.size);
      if (asked !== location.search) return; // by now the filters ask for others
      if ([...this.#rows.keys()].every((id) => shown.has(id))) this.#next = next;
      const there = new Set(tasks.map((task) => task.id));
      for (const id of shown) if (!there.has(id)) this.#rows.delete(id);
      this.#showAlso(tasks);
    } catch (problem) {
      this.#trouble(problem);
    }
  }

  /** Read the newest tasks, so many at least, if there are so many. */
  async #read(count) {
    const tasks = [];
    let next;
    do {
      const page = await api("tasks", { query: { ...this.#query(), before: next, limit: Math.min(MOST, Math.max(PAGE, count)) } });
      tasks.push(...page.tasks);
      next = page.next_before;
    } while (next !== null && tasks.length < count);
    return { tasks, next };
  }

  #query() {
    return { owner: this.#owner?.id ?? "all", state: this.state.value, name: this.name.value };
  }

  async #changed() {
    const { owner, state, name } = this.#query();
    const asked = new URLSearchParams({ view: "tasks", ...(state && { state }), ...(name && { name }), ...(owner !== "all" && { owner }) });
    history.replaceState(null, "", `?${asked}`);
    await this.#load().catch((problem) => this.#trouble(problem));
  }

  async #load() {
    const { tasks, next } = await this.#read(PAGE);
    this.#rows.clear();
    this.#next = next;
    this.#showAlso(tasks);
  }

  async #loadMore() {
    this.#more.disabled = true;
    try {
      const page = await api("tasks", { query: { ...this.#query(), before: this.#next, limit: PAGE } });
      this.#next = page.next_before;
      this.#showAlso(page.tasks);
    } catch (problem) {
      this.#trouble(problem);
    } finally {
      this.#more.disabled = false;
    }
  }

  #showAlso(tasks) {
    tasks.forEach((task) => this.#take(task));
    replace(this.#notices);
    this.#show();
  }

  #take(task) {
    if (!this.#rows.has(task.id)) this.#rows.set(task.id, new Row((owner) => this.#chooseOwner(owner)));
    this.#rows.get(task.id).update(task);
  }

  #chooseOwner(owner) {
    this.#owner = owner;
    this.#changed();
  }

  #show() {
    const rows = [...this.#rows.values()].sort((a, b) => b.task.number - a.task.number);
    patch(this.#body, rows.map((row) => row.task.id), () => (rows.length ? rows.map((row) => row.element) : h("tr", {}, h("td", { colspan: 8, class: "soft" }, "No matching task."))));
    if (this.#owner) this.#owner.name = rows[0]?.task.owner_name || this.#owner.name;
    patch(this.ownerChip, this.#owner, () => this.#owner && h("button", { type: "button", title: "Show tasks of all", onclick: () => this.#chooseOwner(null) }, `of ${this.#owner.name}`, icon("close", 12)));
    this.#more.hidden = this.#next === null;
    this.#tellChosen();
  }

  #chooseAll() {
    for (const row of this.#rows.values()) row.box.checked = this.#every.checked;
    this.#tellChosen();
  }

  /** What can be done with the chosen ones, or else with all that fit the filters. */
  #tellChosen() {
    const chosen = [...this.#rows.values()].filter((row) => row.box.checked).map((row) => row.task);
    const filtered = this.state.value || this.name.value || this.#owner;
    patch(this.#chosen, [chosen.map(({ id, state, stopping }) => [id, state, stopping]), this.#query()], () => {
      if (chosen.length) return this.#forChosen(chosen);
      return filtered ? this.#forAll() : h("span", { class: "soft" }, "Choose tasks, or a filter, to stop them or to start them again.");
    });
  }

  #forChosen(chosen) {
    const ids = (states) => chosen.filter((task) => states.includes(task.state) && !task.stopping).map((task) => task.id);
    const button = (words, what, found) => found.length > 0 && h("button", { type: "button", onclick: () => this.#do(what, { ids: found }) }, `${words} ${found.length}`);
    return [h("span", {}, `${chosen.length} chosen`), button("Stop", "cancel", ids(OPEN)), button("Start again", "replay", ids(DEAD))];
  }

  #forAll() {
    const { state, name } = this.#query();
    const choice = { ...(name && { name }), ...(this.#owner && { owner: Number(this.#owner.id) }), ...(state && { state }) };
    const button = (words, what) => h("button", { type: "button", onclick: () => this.#do(what, choice) }, words);
    return [
      (!state || OPEN.includes(state)) && button("Stop all matching open tasks", "cancel"),
      (!state || DEAD.includes(state)) && button("Start all matching failed tasks again", "replay"),
    ];
  }

  /** What definitions ask to warn of, as far as their tasks are shown here. */
  #warnings(what, { ids }) {
    if (what !== "cancel") return [];
    const tasks = [...this.#rows.values()].map((row) => row.task).filter((task) => isOpen(task) && (!ids || ids.includes(task.id)));
    return [...new Set(tasks.map((task) => task.cancellation_warning).filter(Boolean))];
  }

  async #do(what, choice) {
    if (!(await bulk(what, choice, this.#warnings(what, choice)))) return;
    for (const row of this.#rows.values()) row.box.checked = false;
    this.#every.checked = false;
    await this.refresh();
  }

  #trouble(problem) {
    replace(this.#notices, notice("bad", problem.message));
  }
}

/** One task; changed in place, so that a choice and the keyboard's focus stay. */
class Row {
  #cells;

  constructor(chooseOwner) {
    this.chooseOwner = chooseOwner;
    this.box = h("input", { type: "checkbox" });
    this.#cells = ["No.", "Task", "Owner", "State", "What it says", "Submitted", "Took"].map((label) => h("td", { "data-label": label }, h("div")));
    this.element = h("tr", {}, h("td", { class: "choice" }, this.box), this.#cells);
  }

  update(task) {
    this.task = task;
    this.box.setAttribute("aria-label", `Choose task ${task.number}`);
    const owner = () => h("button", { type: "button", class: "plain link", title: "Only this user's tasks", onclick: () => this.chooseOwner({ id: String(task.owner), name: ownerName(task) }) }, ownerName(task));
    const contents = [
      [task.number, () => String(task.number)],
      [task.title, () => [h("a", { class: "words", href: here(`tasks/${task.number}`) }, task.title), h("div", { class: "soft" }, task.name)]],
      [task.owner_name, owner],
      [[task.state, task.stopping], () => badge(task.state, task.stopping)],
      [[task.state, task.progress, task.percent, task.response, task.due_at], () => says(task)],
      [task.submitted_at, () => sinceThen(task.submitted_at)],
      [[task.state, task.started_at, task.updated_at], () => took(task)],
    ];
    contents.forEach(([key, make], place) => patch(this.#cells[place].firstChild, key, make));
  }
}

/** Open the page of the task that was asked for. */
function open(event) {
  event.preventDefault();
  const key = new FormData(event.target).get("key").trim().replace(/^no\.?\s*/i, "");
  if (key) location.assign(here(`tasks/${encodeURIComponent(key)}`));
}

function ownerName(task) {
  return task.owner_name || (task.owner === 0 ? "the system" : `user ${task.owner}`);
}

function says(task) {
  if (task.state === "waiting") return h("p", { class: "words" }, waitsFor(task));
  if (task.state !== "started") return h("p", { class: "words" }, ending(task));
  return [progressBar(task.percent, "Progress"), h("div", { class: "soft" }, task.percent > 0 && `${task.percent} % `, task.progress)];
}

function took(task) {
  if (task.state === "started") return until(task.started_at);
  return isOpen(task) || !task.started_at ? "" : elapsed(seconds(task.started_at, task.updated_at));
}

function option(value, words) {
  return h("option", { value }, words);
}

/* My tasks: what runs, what waits, what ended. Loaded once, then kept up to date by the live stream. */

import { api, clock, frame, h, icon, live, notice, patch, replace, setText } from "./kit.js";
import { TaskItem } from "./task-item.js";
import { isOpen, spokenEnd } from "./task-words.js";

const OPEN = ["started", "waiting"];
const SECTIONS = [
  { title: "Running", holds: (task) => task.state === "started", order: (a, b) => b.number - a.number },
  { title: "Waiting", holds: (task) => task.state === "waiting", order: (a, b) => a.number - b.number },
  { title: "Ended", holds: (task) => !isOpen(task), order: (a, b) => Date.parse(b.updated_at) - Date.parse(a.updated_at) || b.number - a.number },
];
const SKELETONS = 3;

const list = document.querySelector("#list");
const filters = document.querySelector("form.filters");
const kinds = document.querySelector("#kind");
const more = document.querySelector("#more");

const items = new Map(); // by id; what the filter holds back is kept, too, to know what ended
const sections = SECTIONS.map(makeSection);
let next = null; // `before` of the next page
let loaded = false;

await start();

async function start() {
  replace(list, ...Array.from({ length: SKELETONS }, () => h("div", { class: "skeleton tall" })));
  filters.addEventListener("change", load);
  filters.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", loadMore);
  try {
    await frame("tasks");
    await load();
  } catch (problem) {
    failed(problem, start);
    return;
  }
  listKinds();
  live({ task: take, status: showStatus });
}

/** What the filter asks the server for. */
function query() {
  const { state, kind } = Object.fromEntries(new FormData(filters));
  return { state: state === "open" ? OPEN : state, name: kind };
}

function fits(task) {
  const { state, name } = query();
  return (!state || state.includes(task.state)) && (!name || name === task.name);
}

async function load() {
  try {
    const wanted = query();
    const [open, page] = await Promise.all([
      api("tasks", { query: { state: OPEN, limit: 100 } }),
      api("tasks", { query: { ...wanted, limit: 20 } }),
    ]);
    forgetEnded();
    [...open.tasks, ...page.tasks].forEach(keep);
    next = page.next_before;
    loaded = true;
    replace(document.querySelector("#notices"));
    show();
  } catch (problem) {
    failed(problem, load);
  }
}

/** What other filters brought would leave gaps between the tasks of this one. */
function forgetEnded() {
  for (const [id, { task }] of items) if (!isOpen(task)) items.delete(id);
}

async function loadMore() {
  more.disabled = true;
  try {
    const page = await api("tasks", { query: { ...query(), before: next, limit: 20 } });
    page.tasks.forEach(keep);
    next = page.next_before;
    show();
  } catch (problem) {
    failed(problem, loadMore);
  } finally {
    more.disabled = false;
  }
}

/** Take a view that the stream brought. */
function take(task) {
  const before = items.get(task.id)?.task;
  if (!keep(task)) return;
  if (before && isOpen(before) && !isOpen(task)) setText(document.querySelector("#spoken"), spokenEnd(task));
  show();
  if (loaded && before?.state !== task.state) shine(items.get(task.id).element);
}

/** Remember a view unless a newer one is known; tell whether it was news. */
function keep(task) {
  const known = items.get(task.id);
  if (known && known.task.version >= task.version) return false;
  if (known) known.update(task);
  else items.set(task.id, new TaskItem(task));
  return true;
}

function show() {
  const wanted = [...items.values()].filter((item) => fits(item.task));
  for (const section of sections) fill(section, wanted.filter((item) => section.holds(item.task)));
  const nothing = wanted.length === 0;
  patch(list, [nothing, nothing && query()], () => (nothing ? empty() : sections.map((section) => section.element)));
  more.hidden = next === null;
  summarise();
}

function makeSection({ title, holds, order }) {
  const rows = h("ul", { role: "list", class: "tasks card" });
  const element = h("section", { class: "tasks-section", "aria-label": title }, h("h2", {}, title), rows);
  return { element, rows, holds, order };
}

/** Bring rows into order by moving only those that stand wrong: a moved element loses its focus. */
function fill({ element, rows, order }, chosen) {
  element.hidden = chosen.length === 0;
  const wanted = chosen.sort((a, b) => order(a.task, b.task)).map((item) => item.element);
  for (const row of [...rows.children]) if (!wanted.includes(row)) row.remove();
  wanted.forEach((row, place) => {
    if (rows.children[place] !== row) rows.insertBefore(row, rows.children[place] ?? null);
  });
}

function summarise() {
  const tasks = [...items.values()].map((item) => item.task);
  const count = (state) => tasks.filter((task) => task.state === state).length;
  const [running, waiting] = OPEN.map(count);
  const parts = [running && `${running} running`, waiting && `${waiting} waiting`].filter(Boolean);
  setText(document.querySelector("#summary"), parts.join(", ") || "Nothing is running.");
  document.title = running ? `(${running}) My tasks` : "My tasks";
}

function shine(element) {
  element.classList.remove("fresh");
  void element.offsetWidth; // so that the animation begins anew
  element.classList.add("fresh");
}

function empty() {
  const { state, name } = query();
  const filtered = state || name;
  return h("div", { class: "card empty" },
    icon(filtered ? "search" : "inbox", 28),
    h("h2", {}, filtered ? "No matching task" : "No tasks yet"),
    h("p", {}, filtered ? "None of your tasks is in this state and of this kind." : "What takes a while, such as a mail merge or a report, shows up here as soon as you start it in the CRM: with its progress, and then its result."),
    filtered && h("button", { type: "button", onclick: () => { filters.reset(); load(); } }, "Show all"));
}

async function listKinds() {
  const names = new Set([...items.values()].map((item) => item.task.name));
  const answer = await api("definitions").catch(() => ({ definitions: [] }));
  answer.definitions.forEach((definition) => names.add(definition.name));
  kinds.append(...[...names].filter(Boolean).sort().map((name) => h("option", { value: name }, inWords(name))));
}

function inWords(name) {
  const words = name.replaceAll(/[-_]/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function failed(problem, again) {
  if (!items.size) replace(list);
  const retry = h("button", { type: "button", onclick: again }, "Try again");
  replace(document.querySelector("#notices"), notice("bad", h("div", { class: "row" }, h("span", {}, problem.message), retry)));
}

function showStatus(status, since) {
  if (!loaded && status !== "offline") load();
  const words = { live: "Live", polling: "Updated every 30 s", offline: "Offline" }[status];
  const tone = { live: "good", polling: "", offline: "warn" }[status];
  replace(document.querySelector("#status"), h("span", { class: `badge ${tone}` }, icon(status === "offline" ? "offline" : "check", 14), words));
  replace(document.querySelector("#notices"), status === "offline" &&
    notice("warn", `No connection to the server since ${clock(since)}. The list shows how things were then; it is brought up to date as soon as the server answers.`));
}

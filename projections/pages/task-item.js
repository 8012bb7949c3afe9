/* One task in the list of tasks: made once, then changed in place, so that focus and selection stay where they are. */

import { cancelButton } from "./cancel.js";
import { downloadLink } from "./download.js";
import { api, badge, elapsed, h, here, patch, progressBar, said, seconds, sinceThen, until } from "./kit.js";
import { CAUSES, ending, endedTitle, isOpen, waitsFor } from "./task-words.js";

export class TaskItem {
  #badge = h("div");
  #title = h("h3");
  #said = h("p", { class: "said words" });
  #bar = h("div");
  #facts = h("p", { class: "facts-line" });
  #why = h("div");
  #end = h("div", { class: "end" });

  constructor(task) {
    const body = h("div", { class: "body" }, this.#title, this.#said, this.#bar, this.#facts, this.#why);
    this.element = h("li", {}, h("article", { class: "task" }, this.#badge, body, this.#end));
    this.update(task);
  }

  /** Show a newer view of the task. */
  update(task) {
    this.task = task;
    this.element.id = `task-${task.id}`;
    patch(this.#badge, [task.state, task.stopping], () => badge(task.state, task.stopping));
    patch(this.#title, task.title, () => h("a", { class: "words", href: here(`tasks/${task.number}`) }, task.title));
    patch(this.#said, saysOf(task), () => saysOf(task));
    this.#said.hidden = !saysOf(task);
    patch(this.#bar, [task.state, task.percent], () => task.state === "started" && bar(task));
    patch(this.#facts, [task.state, task.started_at, task.updated_at, task.attempts], () => facts(task));
    patch(this.#why, task.state === "failed" && task.attempts, () => task.state === "failed" && why(task));
    patch(this.#end, [task.state, task.stopping, task.cancellation, task.file_name], () => actions(task));
  }
}

function saysOf(task) {
  if (task.state === "waiting") return waitsFor(task);
  return task.state === "started" ? task.progress : ending(task);
}

function bar(task) {
  const percent = task.percent > 0 ? `${task.percent} %` : "";
  return h("div", { class: "bar" }, progressBar(task.percent, `Progress of ${task.title}`), h("span", { class: "percent" }, percent));
}

function facts(task) {
  const number = h("span", {}, `No. ${task.number}`);
  if (task.state === "started") return [h("span", {}, "running for ", until(task.started_at)), again(task), number];
  if (task.state === "waiting") return [h("span", {}, "submitted ", sinceThen(task.submitted_at)), number];
  const took = task.started_at && elapsed(seconds(task.started_at, task.updated_at));
  return [h("span", { title: endedTitle(task) }, "ended ", sinceThen(task.updated_at)), took && h("span", {}, `took ${took}`), number];
}

function again(task) {
  return task.attempts > 1 && h("span", {}, `attempt ${task.attempts}`);
}

function actions(task) {
  if (isOpen(task)) return cancelButton(task);
  return task.file_name && downloadLink(task);
}

/** Explains a failure when it is opened; the cause stands in the events. */
export function why(task) {
  const answer = h("div", { class: "stack" });
  const details = h("details", {}, h("summary", {}, "Why did it fail?"), answer);
  details.addEventListener("toggle", () => answer.childElementCount || explain(task, answer), { once: true });
  return details;
}

async function explain(task, answer) {
  answer.append(h("div", { class: "skeleton" }));
  try {
    const { events } = await api(`tasks/${task.id}/events`);
    answer.replaceChildren(...explanation(task, events));
  } catch (problem) {
    answer.replaceChildren(h("p", {}, problem.message));
  }
}

/** Paragraphs about the last failure among a task's events; its sentence is the task's response, perhaps cut off there. */
export function explanation(task, events) {
  const end = events.findLast((event) => event.type === "TaskFailed");
  const cause = CAUSES[end?.data.cause] ?? CAUSES.error;
  const whole = end?.data.message ?? "";
  return [
    whole && whole !== task.response && said(whole),
    h("p", {}, cause.means),
    h("p", {}, h("strong", {}, "What you can do: "), cause.help),
  ].filter(Boolean);
}

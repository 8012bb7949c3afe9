/* Everything about one task, for its owner and for administrators. */

import { Attempts } from "./attempts.js";
import { cancelButton } from "./cancel.js";
import { downloadLink } from "./download.js";
import { absolute, api, badge, clock, frame, h, here, icon, live, notice, patch, progressBar, replace, setText, sinceThen, until } from "./kit.js";
import { Log } from "./log.js";
import { parametersSection } from "./parameters.js";
import { removeButton } from "./remove.js";
import { replayButton } from "./replay.js";
import { explanation } from "./task-item.js";
import { ending, isOpen, spokenEnd, waitsFor } from "./task-words.js";
import { Timeline } from "./timeline.js";

const key = location.pathname.split("/").pop();
const main = document.querySelector("main");

async function start() {
  try {
    const me = await frame("task");
    const [task, parameters] = await Promise.all([api(`tasks/${key}`), api(`tasks/${key}/parameters`).catch(() => null)]);
    new Page(me, task, parameters).begin();
  } catch (problem) {
    replace(main, refusal(problem));
  }
}

function refusal(problem) {
  const again = h("button", { type: "button", onclick: start }, "Try again");
  if (![400, 404].includes(problem.status)) return notice("bad", h("div", { class: "row" }, h("span", {}, problem.message), again));
  return h("div", { class: "card empty" }, icon("search", 28), h("h1", {}, "No such task"),
    h("p", {}, "There is no task of this number, or it is somebody else's. Tasks that ended long ago are removed."),
    h("a", { class: "button", href: here("") }, "To my tasks"));
}

class Page {
  #head = h("div", { class: "head" });
  #now = h("div", { class: "card padded now" });
  #facts = h("dl", { class: "card padded facts" });
  #notices = h("div", { class: "notices" });
  #reading = false;

  constructor(me, task, parameters) {
    this.me = me;
    this.task = task;
    this.timeline = new Timeline();
    this.attempts = new Attempts();
    this.log = new Log(task.id);
    const facts = h("section", {}, h("h2", {}, "Facts"), this.#facts);
    replace(main,
      h("p", { class: "crumb" }, task.owner === me.associate_id ? h("a", { href: here("") }, "My tasks") : h("a", { href: here("operations?view=tasks") }, "All tasks")),
      this.#notices, this.#head, this.#now,
      h("div", { class: "columns" },
        h("div", {}, this.timeline.element, this.attempts.element),
        h("div", {}, facts, parametersSection(parameters))),
      this.log.element);
  }

  begin() {
    this.#show();
    this.#readMore();
    const query = this.task.owner === this.me.associate_id ? {} : { owner: "all" };
    live({ task: (task) => this.#take(task), status: (status, since) => this.#say(status, since) }, query);
  }

  #take(task) {
    if (task.id !== this.task.id || task.version <= this.task.version) return;
    if (isOpen(this.task) && !isOpen(task)) setText(document.querySelector("#spoken"), spokenEnd(task));
    this.task = task;
    this.#show();
    this.#readMore();
  }

  #show() {
    const { task } = this;
    document.title = `${task.title} – task ${task.number}`;
    patch(this.#head, [task.title, task.state, task.stopping, task.cancellation, task.file_name], () => this.#makeHead());
    patch(this.#now, [task.state, task.percent, task.progress, task.response, task.due_at], () => now(task));
    patch(this.#facts, [task.version], () => facts(task, this.me));
  }

  #makeHead() {
    const { task } = this;
    const actions = [
      isOpen(task) && cancelButton(task),
      !isOpen(task) && task.file_name && downloadLink(task),
      this.me.administrator && ["failed", "cancelled"].includes(task.state) && replayButton(task),
      !isOpen(task) && removeButton(task),
    ];
    return [
      h("div", {}, h("h1", { class: "words" }, task.title), h("div", { class: "meta" }, badge(task.state, task.stopping), h("span", {}, `No. ${task.number}`), times(task))),
      h("div", { class: "row" }, ...actions),
    ];
  }

  /** Read events, attempts and log; while one reading is under way, the next one waits for it. */
  async #readMore() {
    this.again = this.#reading;
    if (this.#reading) return;
    this.#reading = true;
    try {
      const [events, { attempts }] = await Promise.all([this.timeline.read(this.task.id), api(`tasks/${this.task.id}/attempts`), this.log.read()]);
      this.attempts.show(attempts);
      if (this.task.state === "failed") this.#explain(events);
    } catch (problem) {
      replace(this.#notices, notice("bad", problem.message));
    } finally {
      this.#reading = false;
    }
    this.log.follow(this.task);
    if (this.again) await this.#readMore();
  }

  #explain(events) {
    this.#now.querySelector(".why")?.remove();
    this.#now.append(h("div", { class: "why stack" }, ...explanation(this.task, events)));
  }

  #say(status, since) {
    replace(this.#notices, status === "offline" &&
      notice("warn", `No connection to the server since ${clock(since)}. The page shows how things were then.`));
  }
}

function times(task) {
  if (task.state === "started") return h("span", {}, "running for ", until(task.started_at));
  return h("span", {}, isOpen(task) ? "submitted " : "ended ", sinceThen(isOpen(task) ? task.submitted_at : task.updated_at));
}

function now(task) {
  if (task.state === "waiting") return h("p", {}, waitsFor(task));
  if (task.state !== "started") return h("p", { class: "words" }, ending(task));
  return [
    h("div", { class: "bar" }, progressBar(task.percent, "Progress"), h("span", {}, task.percent > 0 ? `${task.percent} %` : "")),
    task.progress && h("p", { class: "words" }, task.progress),
  ];
}

function facts(task, me) {
  const own = task.owner === me.associate_id;
  const rows = {
    Kind: task.name,
    Owner: own ? "" : task.owner_name || (task.owner === 0 ? "the system" : `associate ${task.owner}`),
    "Asked for": task.request,
    Submitted: absolute(task.submitted_at),
    Started: task.started_at && absolute(task.started_at),
    "Goes on": task.due_at && absolute(task.due_at),
    Ended: isOpen(task) ? "" : absolute(task.updated_at),
    Attempts: String(task.attempts),
    File: task.file_name && task.file_name.split("/").pop(),
    Id: h("span", { class: "mono" }, task.id),
  };
  return Object.entries(rows).filter(([, value]) => value).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
}

await start(); // behind the class, which is not there before

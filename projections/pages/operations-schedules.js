/* Schedules: tasks that are submitted at times of the clock. */

import { absolute, ago, api, ask, badge, h, here, icon, notice, replace, toast } from "./kit.js";

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const COLUMNS = ["Schedule", "Submits", "When", "Next", "Last", ""];

/** Show the view. */
export async function schedulesView(element) {
  const body = h("tbody");
  const head = h("thead", {}, h("tr", {}, COLUMNS.map((name) => h("th", { scope: "col" }, name || h("span", { class: "visually-hidden" }, "Actions")))));
  const read = async () => {
    const { schedules } = await api("schedules");
    replace(body, schedules.length ? schedules.map((schedule) => row(schedule, again)) : h("tr", {}, h("td", { colspan: COLUMNS.length, class: "soft" }, "There is no schedule yet.")));
  };
  const again = () => read().catch((problem) => replace(document.querySelector("#notices"), notice("bad", problem.message)));
  await read();
  replace(document.querySelector("#actions"), h("button", { type: "button", class: "primary", onclick: () => add(again) }, "Add a schedule"));
  replace(element, h("div", { class: "card scrolls" }, h("table", { class: "cards" }, head, body)));
}

function row(schedule, changed) {
  const cell = (label, ...content) => h("td", { "data-label": label }, h("div", {}, ...content));
  const { last_number: number, last_state: state } = schedule;
  const last = schedule.last_at && [h("a", { href: here(`tasks/${number}`) }, absolute(schedule.last_at)), " ", state && badge(state)];
  const note = schedule.note && h("p", { class: "soft" }, schedule.note);
  return h("tr", {},
    cell("Schedule", h("strong", {}, schedule.name), schedule.description && h("div", { class: "soft" }, schedule.description)),
    cell("Submits", schedule.task),
    cell("When", h("code", {}, schedule.cron), h("div", { class: "soft" }, schedule.time_zone)),
    cell("Next", schedule.paused ? h("span", { class: "badge warn" }, icon("pause", 14), "Paused") : h("time", { title: absolute(schedule.next_at) }, ago(schedule.next_at))),
    cell("Last", last || h("span", { class: "soft" }, "never"), note),
    cell("", h("div", { class: "row" }, pauseButton(schedule, changed), removeButton(schedule, changed))));
}

function pauseButton(schedule, changed) {
  const [word, sign, step] = schedule.paused ? ["Resume", "play", "resume"] : ["Pause", "pause", "pause"];
  return h("button", { type: "button", "aria-label": `${word} ${schedule.name}`, onclick: () => send(`schedules/${encodeURIComponent(schedule.name)}/${step}`, "POST", undefined, changed) }, icon(sign, 14), word);
}

function removeButton(schedule, changed) {
  const remove = async () => {
    const sure = await ask({ title: "Remove this schedule?", text: `“${schedule.name}” submits nothing any more. The tasks that it submitted stay.`, yes: "Remove", danger: true });
    if (sure) await send(`schedules/${encodeURIComponent(schedule.name)}`, "DELETE", undefined, changed);
  };
  return h("button", { type: "button", class: "plain", "aria-label": `Remove ${schedule.name}`, onclick: remove }, icon("trash", 14));
}

/** Ask for a new schedule until the server takes it, or the user gives up. */
async function add(changed) {
  const { definitions } = await api("definitions");
  const fields = {
    name: h("input", { id: "schedule-name", required: true, maxlength: 254, autofocus: true }),
    task: h("select", { id: "schedule-task" }, definitions.map(({ name }) => h("option", { value: name }, name))),
    cron: h("input", { id: "schedule-cron", required: true, value: "30 2 * * mon-fri" }),
    time_zone: h("input", { id: "schedule-zone", required: true, value: ZONE }),
    parameters: h("textarea", { id: "schedule-parameters", rows: 4, class: "mono" }, "{}"),
  };
  const labels = { name: "Name", task: "Task", cron: "When: minute, hour, day, month, weekday", time_zone: "Time zone", parameters: "Parameters, as JSON" };
  const trouble = h("div");
  const more = [trouble, ...Object.entries(fields).map(([name, field]) => h("div", { class: "field" }, h("label", { for: field.id }, labels[name]), field))];
  while (await ask({ title: "Add a schedule", more, yes: "Add", no: "Cancel" })) {
    try {
      const body = { ...Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value])), parameters: parsed(fields.parameters.value) };
      await api("schedules", { method: "POST", body });
      toast(`“${body.name}” is added.`, "good");
      return changed();
    } catch (problem) {
      replace(trouble, notice("bad", problem.message));
    }
  }
}

function parsed(text) {
  try {
    return JSON.parse(text || "{}");
  } catch {
    throw new Error('The parameters are no JSON. Write an object, such as {"selection_id": 7}.');
  }
}

async function send(path, method, body, changed) {
  try {
    await api(path, { method, body });
    changed();
  } catch (problem) {
    toast(problem.message, "bad");
  }
}

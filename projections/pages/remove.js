/* Removing a task that has ended, with its log and its file. */

import { api, ask, h, here, icon, toast } from "./kit.js";

/** A button that removes a task for good, and leads to the list then. */
export function removeButton(task) {
  return h("button", { type: "button", class: "plain", onclick: (event) => remove(task, event.currentTarget) }, icon("trash", 14), "Remove");
}

async function remove(task, button) {
  const sure = await ask({
    title: "Remove this task?",
    text: `“${task.title}” goes with its history, its log and its file. This cannot be undone.`,
    yes: "Remove",
    danger: true,
  });
  if (!sure) return;
  button.disabled = true;
  try {
    await api(`tasks/${task.id}`, { method: "DELETE" });
    location.assign(here(""));
  } catch (problem) {
    button.disabled = false;
    toast(problem.message, "bad");
  }
}

/* Stopping a task: ask first, then ask the server; the stream says when it has stopped. */

import { api, ask, h, icon, toast } from "./kit.js";

/** A button that stops a task; null when the task has ended or may not be stopped. */
export function cancelButton(task) {
  if (task.cancellation === "cannot") return null;
  const label = `Stop ${task.title}`;
  return h("button", { type: "button", class: "cancel", "aria-label": label, onclick: (event) => cancel(task, event.currentTarget) }, icon("stop", 14), "Stop");
}

async function cancel(task, button) {
  const sure = await ask({
    title: "Stop this task?",
    text: `“${task.title}” ends at its next safe point. What is done by then stays done.`,
    warning: task.cancellation === "warning" ? task.cancellation_warning : "",
    yes: "Stop task",
    no: "Let it run",
    danger: true,
  });
  if (!sure) return;
  button.disabled = true;
  try {
    await api(`tasks/${task.id}/cancel`, { method: "POST", body: { reason: "" } });
    toast("Asked it to stop. This can take a moment.");
  } catch (problem) {
    button.disabled = false;
    toast(problem.message, "bad");
  }
}

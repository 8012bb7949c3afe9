/* Stopping a task: ask first, then ask the server; the stream says when it has stopped. */

import { api, ask, h, icon, toast } from "./kit.js";

/** A button that stops an open task; null when it may not be stopped, or was asked to already. */
export function cancelButton(task) {
  if (task.cancellation === "cannot" || task.stopping) return null;
  const label = `Stop ${task.title}`;
  return h("button", { type: "button", class: "cancel", "aria-label": label, onclick: (event) => cancel(task, event.currentTarget) }, icon("stop", 14), "Stop");
}

async function cancel(task, button) {
  const isRunning = task.state === "started";
  const sure = await ask({
    title: "Stop this task?",
    text: consequence(task, isRunning),
    warning: task.cancellation_warning,
    yes: "Stop task",
    no: isRunning ? "Let it run" : "Let it wait",
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

/** What stopping does; a definition that wants users warned says itself what becomes of what is done. */
function consequence(task, isRunning) {
  const end = isRunning ? "ends at its next safe point" : task.attempts ? "is not tried again" : "is not begun";
  const rest = task.cancellation_warning || !task.attempts ? "" : " What it has done by then stays done.";
  return `“${task.title}” ${end}.${rest}`;
}

/* Stopping a task: ask first, then ask the server; the stream says when it has stopped. */

import { api, ask, h, icon, toast } from "./kit.js";

const stopping = new Set(); // ids of open tasks that were asked to stop

/** Whether a task was asked to stop, and has not yet. */
export function isStopping(task) {
  return stopping.has(task.id);
}

/** Remember that a task was asked to stop, or that this is over. */
export function markStopping(task, isSo) {
  if (isSo) stopping.add(task.id);
  else stopping.delete(task.id);
}

/** Whether the last wish to stop still counts: one from before a new beginning is over. @param {object[]} events */
export function wishStands(events) {
  return events.findLast((event) => ["CancelRequested", "CancelRefused", "TaskReplayed"].includes(event.type))?.type === "CancelRequested";
}

/** A button that stops an open task; null when it may not be stopped. */
export function cancelButton(task) {
  if (task.cancellation === "cannot") return null;
  const label = `Stop ${task.title}`;
  if (isStopping(task)) return told(h("button", { type: "button", class: "cancel", "aria-label": label }));
  return h("button", { type: "button", class: "cancel", "aria-label": label, onclick: (event) => cancel(task, event.currentTarget) }, icon("stop", 14), "Stop");
}

function told(button) {
  button.disabled = true;
  button.replaceChildren(icon("stop", 14), "Stopping…");
  return button;
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
    markStopping(task, true);
    told(button);
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

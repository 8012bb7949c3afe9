/* Starting a task anew that has failed or was stopped: administrators only. */

import { api, ask, h, icon, toast } from "./kit.js";

/** A button that starts a task anew. */
export function replayButton(task) {
  return h("button", { type: "button", onclick: (event) => replay(task, event.currentTarget) }, icon("replay", 14), "Start again");
}

async function replay(task, button) {
  const sure = await ask({
    title: "Start this task again?",
    text: "It begins anew with all its attempts, and keeps its history. What it had done before stays done; tasks that keep checkpoints go on from there.",
    yes: "Start again",
    no: "Leave it",
  });
  if (!sure) return;
  button.disabled = true;
  try {
    await api(`tasks/${task.id}/replay`, { method: "POST", body: {} });
    toast("It begins anew.", "good");
  } catch (problem) {
    button.disabled = false;
    toast(problem.message, "bad");
  }
}

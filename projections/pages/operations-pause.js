/* Telling workers to take nothing new, and to go on: all of them, or one. */

import { api, ask, h, icon, toast } from "./kit.js";

/** The button for all workers. @param {() => void} changed called when it was done */
export function pauseAll(pause, changed) {
  if (pause.paused) return button("Resume all workers", "play", () => send("resume", null, "Workers go on within 5 s."), changed);
  const question = { title: "Pause all workers?", text: "What runs goes on to its end. What is submitted waits, and nothing is lost." };
  return button("Pause all workers", "pause", () => askAndPause("pause", question), changed);
}

/** The button for one worker. */
export function pauseWorker(worker, changed) {
  const path = `workers/${encodeURIComponent(worker.id)}`;
  const label = `${worker.paused ? "Resume" : "Pause"} worker ${worker.name}`;
  if (worker.paused) return button("Resume", "play", () => send(`${path}/resume`, null, "It goes on within 5 s, unless all workers pause."), changed, label);
  const question = { title: "Pause this worker?", text: `${worker.name} takes nothing new. What it runs goes on to its end; the others take what waits.` };
  return button("Pause", "pause", () => askAndPause(`${path}/pause`, question), changed, label);
}

function button(words, sign, act, changed, label = words) {
  const element = h("button", { type: "button", "aria-label": label, onclick: async () => (await act()) && changed() }, icon(sign, 14), words);
  return element;
}

async function askAndPause(path, question) {
  const reason = h("input", { id: "reason", maxlength: 1000, autofocus: true, placeholder: "Others read it" });
  const field = h("div", { class: "field" }, h("label", { for: "reason" }, "Reason"), reason);
  const sure = await ask({ ...question, more: [field], yes: "Pause", no: "Go on working" });
  return sure && send(path, { reason: reason.value }, "Workers hear of it within 5 s.");
}

async function send(path, body, words) {
  try {
    await api(path, { method: "POST", body: body ?? undefined });
    toast(words, "good");
    return true;
  } catch (problem) {
    toast(problem.message, "bad");
    return false;
  }
}

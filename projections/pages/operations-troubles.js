/* What is wrong with the system, in sentences that say what to do. */

import { absolute, elapsed } from "./kit.js";

/** From here on somebody should look why nobody begins what waits. */
const LONG_WAIT_SECONDS = 300;
const BACKLOG = 10_000;

/**
 * @param {object} state `/overview`
 * @param {{queues: object[], note: string}} queues
 * @param {{paused: boolean, by: string, since: string, reason: string}} pause
 * @returns {Array<["bad"|"warn", string]>} worst first
 */
export function troubles(state, queues, pause) {
  return [nobodyWorks(state), paused(pause, state), longWait(state, pause), behind(queues), queues.note && ["warn", queues.note]].filter(Boolean);
}

function nobodyWorks(state) {
  if (state.workers_alive > 0) return null;
  const waiting = state.waiting ? `${tasks(state.waiting)} until one is started` : "Whatever is submitted waits until one is started";
  return [state.waiting ? "bad" : "warn", `No worker is alive: ${waiting}. Start one with \`batchtask worker\`; its log says why another ended.`];
}

function paused(pause, state) {
  if (!pause.paused) return null;
  const why = pause.reason ? `: ${pause.reason}` : "";
  return ["warn", `${pause.by || "Somebody"} paused all workers on ${absolute(pause.since)}${why}. ${state.waiting ? `${tasks(state.waiting)} until somebody resumes.` : "Nothing waits yet."}`];
}

function longWait(state, pause) {
  const seconds = state.oldest_waiting_seconds ?? 0;
  if (seconds < LONG_WAIT_SECONDS || pause.paused || !state.workers_alive) return null;
  const busy = state.slots_busy >= state.slots;
  const advice = busy
    ? "All slots are busy: start more workers, or give those there are more slots."
    : "Slots are free: perhaps no worker knows the task, or serves its database. Its page says what it waits for.";
  return ["warn", `The oldest task has waited for ${elapsed(seconds)}. ${advice}`];
}

function behind({ queues }) {
  const news = queues.find((queue) => queue.name === "batchtask.projections");
  if (!news || !(news.messages > BACKLOG || news.consumers === 0)) return null;
  const advice = news.consumers === 0 ? "No projections process runs: start one with `batchtask projections`." : "Start another projections process if it goes on growing.";
  return [news.consumers === 0 ? "bad" : "warn", `What is shown is behind what happened: ${(news.messages ?? 0).toLocaleString()} news wait. ${advice}`];
}

function tasks(count) {
  return count === 1 ? "1 task waits" : `${count.toLocaleString()} tasks wait`;
}

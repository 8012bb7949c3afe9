/* States of tasks in words and signs. */

import { h, icon } from "./dom.js";

/** Word and icon of each state, in the order in which lists show them. */
export const STATES = {
  started: { word: "Running", icon: "started" },
  waiting: { word: "Waiting", icon: "waiting" },
  succeeded: { word: "Done", icon: "succeeded" },
  failed: { word: "Failed", icon: "failed" },
  cancelled: { word: "Stopped", icon: "cancelled" },
};

/**
 * A state as icon and word.
 * @param {keyof typeof STATES} state
 * @param {boolean} [isStopping] it runs, and was asked to stop
 */
export function badge(state, isStopping = false) {
  const { word, icon: name } = isStopping ? { ...STATES[state], word: "Stopping…" } : STATES[state];
  return h("span", { class: `badge ${state}` }, icon(name, 14, state === "started" ? "turning" : ""), word);
}

/** A bar for what runs; without a percent it only says that something goes on. */
export function progressBar(percent, label) {
  return h("progress", { max: 100, value: percent > 0 ? percent : null, "aria-label": label });
}

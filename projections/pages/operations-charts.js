/* How it went: what was done, and how long tasks waited, over the last hours or days. */

import { api, elapsed, h, notice, replace } from "./kit.js";
import { Chart } from "./chart.js";

const RANGES = { 1: "1 h", 6: "6 h", 24: "24 h", 168: "7 d", 336: "14 d" };
const SECONDS = 30; // between two readings: the minutes of the server are some seconds behind anyway

/** The charts with a choice of how far back; read anew as long as somebody looks. */
export function chartsSection() {
  const done = new Chart("Tasks", [
    { key: "succeeded", label: "done", tone: "good", kind: "bar" },
    { key: "failed", label: "failed", tone: "bad", kind: "bar" },
    { key: "cancelled", label: "stopped", tone: "quiet", kind: "bar" },
    { key: "submitted", label: "submitted", tone: "accent", kind: "line" },
  ], (count) => Math.round(count).toLocaleString());
  const waited = new Chart("Wait for a worker", [
    { key: "wait_seconds_max", label: "longest", tone: "warn", kind: "line" },
    { key: "wait_seconds_avg", label: "average", tone: "accent", kind: "line" },
  ], elapsed, true);
  const ran = new Chart("Time to run", [{ key: "run_seconds_avg", label: "average", tone: "accent", kind: "line" }], elapsed, true);
  const trouble = h("div");
  const choice = ranges(() => read());
  const read = async () => {
    try {
      const { points, minutes_per_point: minutes } = await api("statistics", { query: { hours: new FormData(choice).get("hours") } });
      for (const chart of [done, waited, ran]) chart.show(points, minutes);
      replace(trouble);
    } catch (problem) {
      replace(trouble, notice("bad", problem.message));
    }
  };
  read();
  setInterval(() => document.hidden || read(), SECONDS * 1000);
  return h("section", {},
    h("div", { class: "section-head" }, h("h2", {}, "How it went"), choice), trouble,
    h("div", { class: "charts" }, done.element, waited.element, ran.element));
}

function ranges(changed) {
  const one = ([hours, words]) => h("label", {}, h("input", { type: "radio", name: "hours", value: hours, checked: hours === "24" }), words);
  return h("form", { onchange: changed }, h("fieldset", { class: "segments" }, h("legend", { class: "visually-hidden" }, "How far back"), Object.entries(RANGES).map(one)));
}

/* What a task was given. */

import { h } from "./kit.js";

/** A section with all parameters; null when there are none to show. @param {Record<string, unknown>|null} parameters */
export function parametersSection(parameters) {
  const entries = Object.entries(parameters ?? {});
  if (!entries.length) return null;
  const facts = entries.map(([name, value]) => [h("dt", {}, name), h("dd", { class: "mono words" }, written(value))]);
  return h("section", {}, h("h2", {}, "Parameters"), h("dl", { class: "card padded facts" }, facts));
}

function written(value) {
  return typeof value === "string" ? value || "(empty)" : JSON.stringify(value, null, 1);
}

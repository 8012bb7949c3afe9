/* Sentences of tasks: as long as they like, in any language. */

import { h } from "./dom.js";

const MOST = 400; // characters that are shown unasked
const BEGINNING = 240;

/** A paragraph; of a long text its beginning, and the whole when it is unfolded. */
export function said(text) {
  if (text.length <= MOST) return h("p", { class: "words" }, text);
  const beginning = text.slice(0, BEGINNING).replace(/\s+\S{0,20}$/, "");
  return h("details", { class: "long" },
    h("summary", {}, h("span", { class: "words" }, `${beginning} …`), h("span", { class: "all" }, "Show all")),
    h("pre", { class: "words", tabindex: 0 }, text));
}

/* Speaking to the user: toasts that pass, notices that stay, and questions. */

import { h, icon } from "./dom.js";

const TOAST_SECONDS = 8;
const ICONS = { good: "succeeded", bad: "failed", warn: "warning", info: "waiting" };

/**
 * Say something in passing; readers hear it too. What needs an action stays until it is closed.
 * @param {string} text
 * @param {"good"|"bad"|"info"} [tone]
 */
export function toast(text, tone = "info") {
  const close = h("button", { type: "button", class: "plain", "aria-label": "Dismiss", onclick: () => element.remove() }, icon("close", 14));
  const element = h("div", { class: `toast ${tone}` }, icon(ICONS[tone]), h("div", {}, text), close);
  toasts().append(element);
  if (tone !== "bad") setTimeout(() => element.remove(), TOAST_SECONDS * 1000);
}

function toasts() {
  let region = document.querySelector(".toasts");
  if (!region) {
    region = h("div", { class: "toasts", role: "status", "aria-live": "polite", "aria-label": "Messages" });
    document.body.append(region);
  }
  return region;
}

/** A box that stands in the page. @param {"good"|"bad"|"warn"|"info"} tone */
export function notice(tone, ...children) {
  return h("div", { class: `notice ${tone}`, role: tone === "bad" ? "alert" : "status" }, icon(ICONS[tone]), h("div", {}, ...children));
}

/**
 * Ask before something is done. Escape and the quiet button mean no.
 * @param {{title: string, text?: string, warning?: string, yes: string, no?: string, danger?: boolean, more?: Node[]}} question
 *   `more` stands between text and buttons: fields, say
 * @returns {Promise<boolean>}
 */
export function ask({ title, text = "", warning = "", yes, no = "Keep it", danger = false, more = [] }) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-labelledby": "question" },
      h("form", { method: "dialog", class: "stack" },
        h("h2", { id: "question" }, title),
        text && h("p", { class: "soft" }, text),
        warning && notice("warn", warning),
        ...more,
        h("div", { class: "actions" },
          // No submit button: the first one of those is what Enter in a field presses.
          h("button", { type: "button", autofocus: !more.length, onclick: () => dialog.close() }, no),
          h("button", { value: "yes", class: danger ? "danger" : "primary" }, yes))));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

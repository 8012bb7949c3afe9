/* The frame of every page: who is here, where one can go, light or dark. */

import { api, here, logout } from "./api.js";
import { h, icon, replace } from "./dom.js";
import "./indicator.js";

const THEMES = { "": "System", light: "Light", dark: "Dark" };

/**
 * Fill the page's <header class="top-bar"> and say who the user is.
 * @param {"tasks"|"operations"|"task"} active the page that is shown
 * @returns {Promise<{associate_id: number, name: string, administrator: boolean}>}
 */
export async function frame(active) {
  const header = document.querySelector(".top-bar");
  replace(header, bar(active, null));
  const me = await api("me");
  replace(header, bar(active, me));
  return me;
}

function bar(active, me) {
  return h("div", {},
    h("a", { class: "brand", href: here("") }, icon("wheels", 20), "Batch tasks"),
    h("nav", { "aria-label": "Pages" },
      link("", "My tasks", active === "tasks"),
      me?.administrator && link("operations", "Operations", active === "operations")),
    h("div", { class: "end" },
      me && h("batch-task-indicator"),
      me && h("span", { class: "who" }, me.name),
      themeButton(),
      me && h("button", { type: "button", class: "plain icon", title: "Log out", "aria-label": "Log out", onclick: logout }, icon("leave"))));
}

function link(path, words, current) {
  return h("a", { href: here(path), "aria-current": current ? "page" : null }, words);
}

function themeButton() {
  const button = h("button", { type: "button", class: "plain icon", onclick: () => { nextTheme(); label(); } }, icon("theme"));
  const label = () => {
    button.title = `Theme: ${THEMES[document.documentElement.dataset.theme ?? ""]}`;
    button.setAttribute("aria-label", button.title);
  };
  label();
  return button;
}

function nextTheme() {
  const names = Object.keys(THEMES);
  const root = document.documentElement;
  const next = names[(names.indexOf(root.dataset.theme ?? "") + 1) % names.length];
  if (next) root.dataset.theme = next;
  else delete root.dataset.theme;
  try {
    localStorage.setItem("batchtask-theme", next);
  } catch {
    // Storage may be forbidden; the choice lasts as long as the page then.
  }
}

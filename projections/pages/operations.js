/* Operations: the state of the whole system, for administrators. Each view is a module; the address says which. */

import { frame, h, here, notice, replace } from "./kit.js";
import { deadView } from "./operations-dead.js";
import { overview } from "./operations-overview.js";
import { schedulesView } from "./operations-schedules.js";
import { tasksView } from "./operations-tasks.js";

const VIEWS = {
  "": { title: "Overview", show: overview },
  tasks: { title: "Tasks", show: tasksView },
  dead: { title: "Failed and stopped", show: deadView },
  schedules: { title: "Schedules", show: schedulesView },
};
const asked = new URLSearchParams(location.search).get("view") ?? "";
const current = asked in VIEWS ? asked : "";

await start();

async function start() {
  const view = document.querySelector("#view");
  try {
    const me = await frame("operations");
    if (!me.administrator) {
      document.querySelector(".tabs").hidden = true;
      replace(view, notice("warn", "This page is for administrators. ", h("a", { href: here("") }, "Your own tasks"), " are on another page."));
      return;
    }
    replace(document.querySelector(".tabs"), Object.entries(VIEWS).map(tab));
    document.title = `${VIEWS[current].title} – Operations`;
    await VIEWS[current].show(view);
  } catch (problem) {
    const again = h("button", { type: "button", onclick: start }, "Try again");
    replace(view, notice("bad", h("div", { class: "row" }, h("span", {}, problem.message), again)));
  }
}

function tab([name, { title }]) {
  const address = here(name ? `operations?view=${name}` : "operations");
  return h("a", { href: address, "aria-current": name === current ? "page" : null }, title);
}

/* Fetching the file that a task made: ask first whether it is there, for a download that fails says nothing. */

import { check, h, here, icon, toast } from "./kit.js";

/** A link that fetches the file. */
export function downloadLink(task) {
  const label = `Download the file of ${task.title}`;
  return h("a", { class: "button", href: here(`api/v2/${path(task)}`), download: "", "aria-label": label, onclick: (event) => download(event, task) }, icon("download", 14), "Download");
}

async function download(event, task) {
  event.preventDefault();
  try {
    await check(path(task));
    location.assign(here(`api/v2/${path(task)}`)); // an attachment: this page stays
  } catch (problem) {
    toast(sentence(problem.message), "bad");
  }
}

function path(task) {
  return `tasks/${task.id}/file`;
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

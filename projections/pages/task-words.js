/* What a task's view means, in words for the user who started it. */

import { absolute, ago, clock } from "./time.js";

/** What a waiting task waits for. */
export function waitsFor(task) {
  const reason = task.progress ? withoutStop(task.progress) : "";
  if (!task.due_at) return reason || "Waits for a free worker; it starts by itself.";
  const when = Date.parse(task.due_at) > Date.now() ? `goes on at ${clock(task.due_at)} (${ago(task.due_at)})` : "goes on any moment";
  if (reason) return `${reason}; ${when}.`;
  return task.attempts ? `${capital(when)}.` : `${capital(when.replace("goes on", "starts"))}.`;
}

/** The sentence that a task ended with. */
export function ending(task) {
  if (task.response) return task.response;
  return { succeeded: "Done.", failed: "It failed, and said nothing more.", cancelled: "Stopped on request." }[task.state] ?? "";
}

/** What a cause of failure means, and what can be done. Causes: `batchtask/outcomes.py`. */
export const CAUSES = {
  error: {
    means: "The task itself found that it could not do its work. The sentence above is its own.",
    help: "Mend what it names, then start it again in the CRM. If it names nothing that you can change, tell an administrator the task's number.",
  },
  "time-limit": {
    means: "The task took longer than it is allowed to, and was ended.",
    help: "Try it with less, such as a smaller selection. An administrator can allow it more time.",
  },
  memory: {
    means: "The task needed more memory than it is allowed to, and was ended.",
    help: "Try it with less, such as a smaller selection. An administrator can allow it more memory.",
  },
  "lost-worker": {
    means: "What ran the task broke down under it, more than once. Probably it is not your fault.",
    help: "An administrator should look at it before it is started again. What was done before that stays done.",
  },
  rejected: {
    means: "No worker is able to run this task.",
    help: "An administrator can see why on the page Operations. Starting it again does not help until that is mended.",
  },
};

/** What to say when a task ends, to those who hear the page. */
export function spokenEnd(task) {
  return { succeeded: `Done: ${task.title}. ${task.response}`, failed: `Failed: ${task.title}. ${task.response}`, cancelled: `Stopped: ${task.title}.` }[task.state];
}

export const isOpen = (task) => task.state === "waiting" || task.state === "started";

/** When a task ended, for a title. */
export function endedTitle(task) {
  return `Ended ${absolute(task.updated_at)}`;
}

function withoutStop(text) {
  return text.replace(/[.;]\s*$/, "");
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/* Doing something to many tasks: first count, then ask, then do; as often as the server's limit needs. */

import { api, ask, toast } from "./kit.js";

const WORDS = {
  cancel: { title: (tasks) => `Stop ${tasks}?`, text: "Each ends at its next safe point; what waits ends at once.", yes: "Stop them", done: (tasks) => `Asked ${tasks} to stop.` },
  replay: { title: (tasks) => `Start ${tasks} again?`, text: "They begin anew with all their attempts. What was done before stays done.", yes: "Start again", done: (tasks) => `${tasks} begin anew.` },
};

/**
 * Ask, then do it.
 * @param {"cancel"|"replay"} what
 * @param {Record<string, unknown>} choice of tasks, as `POST /bulk/…` takes it
 * @param {string[]} [warnings] what definitions of the tasks ask to warn of
 * @returns {Promise<boolean>} whether anything was done
 */
export async function bulk(what, choice, warnings = []) {
  const words = WORDS[what];
  try {
    const tried = await api(`bulk/${what}`, { method: "POST", body: { ...choice, dry_run: true } });
    if (!tried.count) {
      toast(tried.refused[0] ? `None of them: ${tried.refused[0].reason}.` : "No task matches any more.");
      return false;
    }
    const sure = await ask({ title: words.title(many(tried)), text: words.text, warning: [...warnings, leftAlone(tried)].filter(Boolean).join(" "), yes: words.yes, no: "Leave them", danger: what === "cancel" });
    if (!sure) return false;
    toast(words.done(tasks(await all(what, choice))), "good");
    return true;
  } catch (problem) {
    toast(problem.message, "bad");
    return false;
  }
}

async function all(what, choice) {
  let count = 0;
  for (let before = choice.before; before !== null; ) {
    const answer = await api(`bulk/${what}`, { method: "POST", body: { ...choice, before } });
    count += answer.count;
    before = answer.next_before;
  }
  return count;
}

function many(tried) {
  return tried.next_before === null ? tasks(tried.count) : `more than ${tasks(tried.count)}`;
}

function leftAlone({ refused_count: count, refused }) {
  return count ? `${tasks(count)} will be left alone: ${refused[0].reason}.` : "";
}

function tasks(count) {
  return count === 1 ? "1 task" : `${count.toLocaleString()} tasks`;
}

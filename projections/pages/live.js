/* Tasks as they change, for our own pages; task-stream.js does the work. */

import { here, toLogin } from "./api.js";
import { TaskStream } from "./task-stream.js";

/**
 * Hear of every change of tasks, until `stop` is called.
 * @param {object} listener
 * @param {(task: object) => void} listener.task called for the open tasks first, then for every change; newest `version` wins
 * @param {(status: "live"|"polling"|"offline", since: Date) => void} [listener.status] how news come; called on changes
 * @param {(id: string) => void} [listener.gone] called for an open task that was removed
 * @param {Record<string, string>} [query] of the stream, such as `{owner: "all"}`
 * @returns {{stop: () => void}}
 */
export function live(listener, query = {}) {
  const refused = (status) => status === 401 && toLogin();
  const stream = new TaskStream({ root: here(""), query }, { refused, ...listener });
  stream.run();
  return { stop: () => stream.stop() };
}

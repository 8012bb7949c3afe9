/* Tasks as they change, for our own pages: the stream of the indicator, with this page's session. */

import { here, toLogin } from "./api.js";
import { TaskStream } from "./task-stream.js";

/**
 * Hear of every change of tasks, until the stream is stopped. What is told is newer each time.
 * @param {object} listener
 * @param {(task: object) => void} listener.task called for the open tasks first, then for every change
 * @param {(id: string) => void} [listener.gone] a task that was open is not there any more
 * @param {(status: "live"|"polling"|"offline", since: Date) => void} [listener.status] how news come; called on changes
 * @param {Record<string, string>} [query] of the stream, such as `{owner: "all"}`
 * @returns {TaskStream}
 */
export function live(listener, query = {}) {
  const refused = (status) => status === 401 && toLogin();
  const stream = new TaskStream({ root: here(""), query }, { refused, ...listener });
  stream.run();
  return stream;
}

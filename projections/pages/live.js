/* Tasks as they change: one stream of server-sent events by fetch, and polling while there is none.
   fetch and not EventSource, because that one cannot tell an ended session from a server that is away. */

import { address, api, toLogin } from "./api.js";

const POLL_SECONDS = 30;
const SILENCE_SECONDS = 60; // the server says something at least every 15 to 30 s
const BACK_OFF_SECONDS = [0.5, 1, 2, 4, 8, 15, 30];

/**
 * Hear of every change of tasks, until `stop` is called.
 * @param {object} listener
 * @param {(task: object) => void} listener.task called for the open tasks first, then for every change; newest `version` wins
 * @param {(status: "live"|"polling"|"offline", since: Date) => void} [listener.status] how news come; called on changes
 * @param {Record<string, string>} [query] of the stream, such as `{owner: "all"}`
 * @returns {{stop: () => void}}
 */
export function live({ task, status = () => {} }, query = {}) {
  const subscription = new Subscription(task, status, query);
  subscription.run();
  return { stop: () => subscription.stop() };
}

class Subscription {
  #lastId = "";
  #failures = 0;
  #status = "";
  #polledAt = 0;
  #stopping = new AbortController();

  constructor(task, status, query) {
    this.task = task;
    this.tell = status;
    this.query = query;
  }

  async run() {
    while (!this.#stopping.signal.aborted) {
      await this.#listen().catch(() => {});
      if (this.#stopping.signal.aborted) return;
      await this.#pollIfDue();
      await this.#pause();
    }
  }

  stop() {
    this.#stopping.abort();
  }

  /** Read one stream to its end; it ends by itself when the server restarts. */
  async #listen() {
    const silence = new Silence();
    const signal = AbortSignal.any([this.#stopping.signal, silence.signal]);
    this.#failures += 1;
    try {
      const headers = { Accept: "text/event-stream", ...(this.#lastId && { "Last-Event-ID": this.#lastId }) };
      const response = await fetch(address("live", this.query), { headers, signal, credentials: "same-origin", cache: "no-store" });
      if (response.status === 401) toLogin();
      if (!response.ok || !response.body) return;
      this.#say("live");
      for await (const event of events(response.body, silence)) {
        this.#failures = 0;
        if (event.id) this.#lastId = event.id;
        if (event.name === "task") this.task(JSON.parse(event.data));
      }
    } finally {
      silence.end();
    }
  }

  /** While there is no stream, ask for the newest tasks: the first time at once, then every half a minute. */
  async #pollIfDue() {
    if (this.#failures < 2 || Date.now() - this.#polledAt < POLL_SECONDS * 1000) return;
    this.#polledAt = Date.now();
    try {
      const page = await api("tasks", { query: { ...this.query, limit: 50 }, signal: this.#stopping.signal });
      page.tasks.reverse().forEach((one) => this.task(one));
      this.#say("polling");
    } catch {
      this.#say("offline");
    }
  }

  #say(status) {
    if (status === this.#status) return;
    this.#status = status;
    this.tell(status, new Date());
  }

  /** Wait before the next try: longer with every failure, at once when the browser finds its network again. */
  #pause() {
    const wait = BACK_OFF_SECONDS[Math.min(this.#failures, BACK_OFF_SECONDS.length - 1)] * (0.75 + Math.random() / 2);
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        removeEventListener("online", done);
        resolve();
      };
      const timer = setTimeout(done, wait * 1000);
      addEventListener("online", done);
      this.#stopping.signal.addEventListener("abort", done, { once: true });
    });
  }
}

/** Ends a stream that says nothing any more: its connection is dead, and nobody told us. */
class Silence {
  #controller = new AbortController();
  #timer = 0;

  constructor() {
    this.broken();
  }

  get signal() {
    return this.#controller.signal;
  }

  broken() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(), SILENCE_SECONDS * 1000);
  }

  end() {
    clearTimeout(this.#timer);
  }
}

/** Events of a stream; comments only prove that it lives. https://html.spec.whatwg.org/multipage/server-sent-events.html */
async function* events(body, silence) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    silence.broken();
    const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) yield parsed(block);
  }
}

function parsed(block) {
  const event = { id: "", name: "message", data: "" };
  for (const line of block.split("\n")) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (field === "data") event.data += event.data ? `\n${value}` : value;
    else if (field === "event") event.name = value;
    else if (field === "id") event.id = value;
  }
  return event;
}

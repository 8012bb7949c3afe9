/* Tasks as they change: one stream of server-sent events by fetch, and polling while there can be none.
   fetch and not EventSource, because that one sends no Authorization header and hides why it was refused. */

const POLL_SECONDS = 30;
const FIRST_WORD_SECONDS = 8; // a stream that says nothing at first is kept back by a proxy
const SILENCE_SECONDS = 40; // the server says something every 15 s
const HIDDEN_SECONDS = 10; // browsers allow six connections to a server: tabs that nobody sees give theirs back
const BACK_OFF_SECONDS = [0.3, 0.5, 1, 2, 4, 8, 15, 30, 60];
const REFUSED = new Set([401, 403]);
const OPEN = new Set(["waiting", "started"]);
const MOST_REMEMBERED = 2000;

/** Whether something may follow. */
export function isOpen(task) {
  return OPEN.has(task.state);
}

/**
 * Hears of tasks until it is stopped. What it tells is newer each time; nothing is told twice.
 * @param {object} source
 * @param {string} source.root address of the application, with a slash at the end
 * @param {() => Promise<object>} [source.headers] more headers for every request, such as Authorization
 * @param {RequestCredentials} [source.credentials]
 * @param {Record<string, string>} [source.query] of the stream, such as `{owner: "all"}`
 * @param {object} listener
 * @param {(task: object, beginning: boolean) => void} listener.task `beginning`: it is no change, but how things are
 * @param {(id: string) => void} [listener.gone] a task that was open is not there any more
 * @param {(status: "live"|"polling"|"offline", since: Date) => void} [listener.status] how news come; on changes
 * @param {(status: number) => void} [listener.refused] 401 or 403
 */
export class TaskStream {
  #versions = new Map(); // by id; what was told
  #open = new Set(); // ids
  #begun = false;
  #lastId = "";
  #failures = 0;
  #status = "";
  #polledAt = -Infinity;
  #stopping = new AbortController();

  constructor({ root, headers = async () => ({}), credentials = "same-origin", query = {} }, listener) {
    Object.assign(this, { root, headers, credentials, query });
    this.listener = { gone: () => {}, status: () => {}, refused: () => {}, ...listener };
  }

  /** Listen; returns after `stop`. */
  async run() {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await shown(signal);
      await this.#listen().catch(() => {});
      if (signal.aborted) return;
      if (!document.hidden) await this.#pollIfDue();
      await pause(BACK_OFF_SECONDS[Math.min(this.#failures, BACK_OFF_SECONDS.length - 1)], signal);
    }
  }

  stop() {
    this.#stopping.abort();
  }

  /** Ask something of `api/v2/`. */
  async ask(path, { query = {}, ...options } = {}) {
    const url = new URL(`api/v2/${path}`, this.root);
    for (const [name, value] of Object.entries(query)) for (const one of [value].flat()) url.searchParams.append(name, one);
    const headers = { Accept: "application/json", ...(await this.headers()), ...options.headers };
    return fetch(url, { signal: this.#stopping.signal, credentials: this.credentials, cache: "no-store", ...options, headers });
  }

  /** Read one stream to its end: the server ends it now and then, and we do when nobody looks. */
  async #listen() {
    const watch = new Watch();
    const signal = AbortSignal.any([this.#stopping.signal, watch.signal]);
    this.#failures += 1;
    try {
      const headers = { Accept: "text/event-stream", ...(this.#lastId && { "Last-Event-ID": this.#lastId }) };
      const response = await this.ask("live", { query: this.query, headers, signal });
      if (REFUSED.has(response.status)) this.#refused(response.status);
      if (!response.ok || !response.body) return;
      const said = new Set();
      for await (const event of events(response.body, watch)) {
        if (event.name === "task") said.add(this.#tell(JSON.parse(event.data)).id);
        if (event.name === "ready") await this.#ready(said, watch);
        if (event.id) this.#lastId = event.id;
      }
    } finally {
      watch.end();
    }
  }

  async #ready(said, watch) {
    watch.listen();
    this.#failures = 0;
    this.#begun = true;
    this.#say("live");
    await this.#miss(said);
  }

  /** While there is no stream, ask: the first time at once, then every half a minute. */
  async #pollIfDue() {
    if (this.#failures < 2 || Date.now() - this.#polledAt < POLL_SECONDS * 1000) return;
    this.#polledAt = Date.now();
    try {
      const pages = [await this.#page({ state: [...OPEN], limit: 100 }), await this.#page({ limit: 50 })];
      const tasks = pages.flat().reverse();
      tasks.forEach((task) => this.#tell(task));
      this.#begun = true;
      await this.#miss(new Set(tasks.map((task) => task.id)));
      this.#say("polling");
    } catch {
      this.#say("offline");
    }
  }

  async #page(query) {
    const response = await this.ask("tasks", { query: { ...this.query, ...query } });
    if (REFUSED.has(response.status)) this.#refused(response.status);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return (await response.json()).tasks;
  }

  /** Ask after each task that was open and that is no longer listed: it has ended, or was removed. */
  async #miss(listed) {
    for (const id of [...this.#open].filter((one) => !listed.has(one))) {
      const response = await this.ask(`tasks/${id}`);
      if (response.ok) this.#tell(await response.json());
      else if (response.status === 404) this.#forget(id);
    }
  }

  #tell(task) {
    if ((this.#versions.get(task.id) ?? -1) >= task.version) return task;
    this.#versions.delete(task.id); // so that the oldest news are the first to be forgotten
    this.#versions.set(task.id, task.version);
    if (isOpen(task)) this.#open.add(task.id);
    else this.#open.delete(task.id);
    if (this.#versions.size > MOST_REMEMBERED) this.#versions.delete(this.#versions.keys().next().value);
    this.listener.task(task, !this.#begun);
    return task;
  }

  #forget(id) {
    this.#open.delete(id);
    this.#versions.delete(id);
    this.listener.gone(id);
  }

  #refused(status) {
    this.#failures = BACK_OFF_SECONDS.length;
    this.listener.refused(status);
  }

  #say(status) {
    if (status === this.#status) return;
    this.#status = status;
    this.listener.status(status, new Date());
  }
}

/** Ends a stream of which nothing comes, or that nobody has looked at for a while. */
class Watch {
  #controller = new AbortController();
  #seconds = FIRST_WORD_SECONDS;
  #silence = 0;
  #hiding = 0;
  #look = () => {
    clearTimeout(this.#hiding);
    if (document.hidden) this.#hiding = this.#endIn(HIDDEN_SECONDS);
  };

  constructor() {
    document.addEventListener("visibilitychange", this.#look);
    this.#look();
    this.#silence = this.#endIn(this.#seconds);
  }

  get signal() {
    return this.#controller.signal;
  }

  /** The stream is up to date; from now on long silences are expected. */
  listen() {
    this.#seconds = SILENCE_SECONDS;
    this.heard();
  }

  heard() {
    clearTimeout(this.#silence);
    this.#silence = this.#endIn(this.#seconds);
  }

  end() {
    clearTimeout(this.#silence);
    clearTimeout(this.#hiding);
    document.removeEventListener("visibilitychange", this.#look);
  }

  #endIn(seconds) {
    return setTimeout(() => this.#controller.abort(), seconds * 1000);
  }
}

/** Wait until somebody sees the page. */
function shown(signal) {
  return until(signal, (done) => {
    const look = () => document.hidden || done();
    document.addEventListener("visibilitychange", look);
    look();
    return () => document.removeEventListener("visibilitychange", look);
  });
}

/** Wait, not in step with others; no longer than until the browser finds its network again, or the page is looked at. */
function pause(seconds, signal) {
  return until(signal, (done) => {
    const timer = setTimeout(done, seconds * (0.75 + Math.random() / 2) * 1000);
    addEventListener("online", done);
    return () => {
      clearTimeout(timer);
      removeEventListener("online", done);
    };
  });
}

function until(signal, begin) {
  return new Promise((resolve) => {
    let end = () => {};
    let ended = false;
    const done = () => {
      ended = true;
      end();
      signal.removeEventListener("abort", done);
      resolve();
    };
    if (signal.aborted) return done();
    signal.addEventListener("abort", done);
    end = begin(done);
    if (ended) end();
  });
}

/** Events of a stream; comments only prove that it lives. https://html.spec.whatwg.org/multipage/server-sent-events.html */
async function* events(body, watch) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    watch.heard();
    const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop();
    yield* blocks.map(parsed);
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

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
const MOST_OPEN = 200; // that a stream of the server begins with
const PAGE = 100;

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
  #open = new Map(); // numbers by id
  #begun = false;
  #lastId = "";
  #failures = 0;
  #status = "";
  #pollAt = 0;
  #isRefused = false;
  #stopping = new AbortController();

  constructor({ root, headers = async () => ({}), credentials = "same-origin", query = {} }, listener) {
    Object.assign(this, { root, headers, credentials, query });
    this.listener = { gone: () => {}, status: () => {}, refused: () => {}, ...listener };
  }

  /** Listen; returns after `stop`. */
  async run() {
    const { signal } = this.#stopping;
    for (let listenAt = 0; !signal.aborted; ) {
      await shown(signal);
      if (Date.now() >= listenAt) {
        await this.#listen().catch(() => {});
        listenAt = Date.now() + jittered(BACK_OFF_SECONDS[Math.min(this.#failures, BACK_OFF_SECONDS.length - 1)]) * 1000;
      }
      if (signal.aborted) return;
      if (!document.hidden) await this.#pollIfDue();
      const next = this.#polls ? Math.min(listenAt, this.#pollAt) : listenAt;
      if (await pause(next - Date.now(), signal)) listenAt = 0;
    }
  }

  stop() {
    this.#stopping.abort();
  }

  /** Wait until somebody sees the page, or the stream is stopped. */
  seen() {
    return shown(this.#stopping.signal);
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
    this.#isRefused = false;
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
    await this.#miss(said, MOST_OPEN);
  }

  /** Whether to ask, because there is no stream. */
  get #polls() {
    return this.#failures >= 2 && !this.#isRefused;
  }

  /** While there is no stream, ask: the first time at once, then every half a minute. */
  async #pollIfDue() {
    if (!this.#polls || Date.now() < this.#pollAt) return;
    this.#pollAt = Date.now() + POLL_SECONDS * 1000;
    try {
      const open = await this.#page({ state: [...OPEN], limit: PAGE });
      const tasks = [...open, ...(await this.#page({ limit: 50 }))].reverse();
      tasks.forEach((task) => this.#tell(task));
      this.#begun = true;
      await this.#miss(new Set(tasks.map((task) => task.id)), PAGE);
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

  /** Ask after each task that was open and that is no longer listed: it has ended, or was removed. A full list says nothing of older ones. */
  async #miss(listed, most) {
    const open = [...listed].filter((id) => this.#open.has(id)).map((id) => this.#open.get(id));
    const oldest = open.length < most ? 0 : Math.min(...open);
    for (const id of [...this.#open].filter(([one, number]) => !listed.has(one) && number >= oldest).map(([one]) => one)) {
      const response = await this.ask(`tasks/${id}`);
      if (response.ok) this.#tell(await response.json());
      else if (response.status === 404) this.#forget(id);
    }
  }

  #tell(task) {
    if ((this.#versions.get(task.id) ?? -1) >= task.version) return task;
    this.#versions.delete(task.id); // so that the oldest news are the first to be forgotten
    this.#versions.set(task.id, task.version);
    if (isOpen(task)) this.#open.set(task.id, task.number);
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
    this.#isRefused = true;
    this.listener.refused(status);
  }

  #say(status) {
    if (status === this.#status) return;
    this.#status = status;
    this.listener.status(status, new Date());
  }
}

/** Ends a stream of which nothing comes, or can come, or that nobody has looked at for a while. */
class Watch {
  #controller = new AbortController();
  #seconds = FIRST_WORD_SECONDS;
  #silence = 0;
  #hiding = 0;
  #look = () => {
    clearTimeout(this.#hiding);
    if (document.hidden) this.#hiding = this.#endIn(HIDDEN_SECONDS);
  };

  #leave = () => this.#controller.abort();

  constructor() {
    document.addEventListener("visibilitychange", this.#look);
    addEventListener("offline", this.#leave);
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
    removeEventListener("offline", this.#leave);
  }

  #endIn(seconds) {
    return setTimeout(this.#leave, seconds * 1000);
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

/** Not in step with others. */
function jittered(seconds) {
  return seconds * (0.75 + Math.random() / 2);
}

/** Wait; no longer than until the browser finds its network again: then true. */
function pause(milliseconds, signal) {
  return until(signal, (done) => {
    const back = () => done(true);
    const timer = setTimeout(done, milliseconds, false);
    addEventListener("online", back);
    return () => {
      clearTimeout(timer);
      removeEventListener("online", back);
    };
  });
}

function until(signal, begin) {
  return new Promise((resolve) => {
    let end = () => {};
    let ended = false;
    const stop = () => done();
    const done = (answer) => {
      ended = true;
      end();
      signal.removeEventListener("abort", stop);
      resolve(answer);
    };
    if (signal.aborted) return done();
    signal.addEventListener("abort", stop);
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

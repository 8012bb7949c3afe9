/* <batch-task-indicator>: what the user's batch tasks are doing, in any page. How to embed it: docs/indicator.md.
   Hears of tasks by task-stream.js, shows them by indicator-view.js; here is what it means. */

import { IndicatorView } from "./indicator-view.js";
import { isOpen, TaskStream } from "./task-stream.js";

const TRIES_TO_TELL = 4;
const TELL_AGAIN_SECONDS = 2;
const ORDER = ["started", "waiting"];

/**
 * Attributes: `server` (address of the application; by default where this module came from), `token` (bearer token;
 * by default the cookie), `silent` (no messages at the end of tasks).
 * Properties: `getToken` (asked before each request, for tokens that expire), `words` (other texts), `tasks`.
 * Event: `batchevent`, whose `detail` is {task, kind: "submitted"|"started"|"progress"|"finished", first}.
 */
export class BatchTaskIndicator extends HTMLElement {
  static observedAttributes = ["server", "token"];

  #view = new IndicatorView(this.attachShadow({ mode: "open" }));
  #stream = null;
  #starting = false;
  #known = new Map(); // open tasks by id
  #newestAt = 0; // of the views seen so far
  #getToken = null;
  #xsrf = null;

  constructor() {
    super();
    for (const name of ["getToken", "words"]) {
      if (!Object.hasOwn(this, name)) continue; // set before this module was there
      const value = this[name];
      delete this[name];
      this[name] = value;
    }
  }

  /** Open tasks, as shown. */
  get tasks() {
    return [...this.#known.values()].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.number - b.number);
  }

  /** Asked for a bearer token before each request. @type {() => Promise<string>} */
  get getToken() {
    return this.#getToken;
  }

  set getToken(getToken) {
    this.#getToken = getToken;
    this.#restart();
  }

  /** Texts instead of ours, by the names in indicator-words.js. */
  set words(words) {
    this.#view.words = words;
    this.#view.show(this.tasks);
  }

  connectedCallback() {
    this.#restart();
  }

  disconnectedCallback() {
    this.#stream?.stop();
    this.#stream = null;
  }

  attributeChangedCallback() {
    this.#restart();
  }

  get #root() {
    const root = new URL(this.getAttribute("server") ?? new URL("..", import.meta.url), document.baseURI).href;
    return root.endsWith("/") ? root : `${root}/`;
  }

  get #hasToken() {
    return this.#getToken !== null || this.hasAttribute("token");
  }

  /** Begin anew; once for all that is set in one go. */
  #restart() {
    if (this.#starting || !this.isConnected) return;
    this.#starting = true;
    queueMicrotask(() => {
      this.#starting = false;
      this.#stream?.stop();
      if (this.isConnected) this.#start();
    });
  }

  #start() {
    this.#known.clear();
    this.#xsrf = null;
    this.#view.root = this.#root;
    this.#view.show([]);
    const source = { root: this.#root, headers: () => this.#headers(), credentials: this.#hasToken ? "omit" : "include" };
    const stream = new TaskStream(source, {
      task: (task, beginning) => this.#stream === stream && this.#take(task, beginning),
      gone: (id) => this.#stream === stream && this.#drop(id),
    });
    this.#stream = stream;
    stream.run();
  }

  async #headers() {
    if (!this.#hasToken) return {};
    const token = this.#getToken ? await this.#getToken() : this.getAttribute("token");
    return { Authorization: `Bearer ${token}` };
  }

  #take(task, beginning) {
    const before = this.#known.get(task.id);
    const isNew = Date.parse(task.updated_at) > this.#newestAt;
    this.#newestAt = Math.max(this.#newestAt, Date.parse(task.updated_at));
    if (isOpen(task)) {
      this.#known.set(task.id, task);
      this.#view.show(this.tasks);
      if (!beginning) this.#change(task, kindOf(task, before));
      return;
    }
    this.#drop(task.id);
    // Ends of which somebody was told are news only to a page that saw the task run. Polling does not say who was told.
    if (before || task.told === false || (task.told === undefined && !beginning && isNew)) this.#finish(task);
  }

  #drop(id) {
    if (this.#known.delete(id)) this.#view.show(this.tasks);
  }

  #change(task, kind) {
    if (kind !== "progress") this.#view.announce(task, kind);
    this.#raise({ task, kind, first: false });
  }

  /** Whoever is looked at tells: a message in a page behind others would be seen by nobody. */
  async #finish(task) {
    const stream = this.#stream;
    await stream.seen();
    if (stream !== this.#stream) return; // begun anew meanwhile: the new one hears of it, too
    const first = task.told !== true && (await this.#tellsFirst(stream, task));
    this.#view.announce(task, "finished");
    const goesOn = this.#raise({ task, kind: "finished", first });
    if (first && goesOn && !this.hasAttribute("silent")) this.#view.toast(task);
  }

  #raise(detail) {
    return this.dispatchEvent(new CustomEvent("batchevent", { detail, bubbles: true, composed: true, cancelable: true }));
  }

  /** Ask whether it is up to us, of all pages of the user, to tell of an end. Who cannot ask does not tell. */
  async #tellsFirst(stream, task) {
    for (let tries = 1; tries <= TRIES_TO_TELL && stream === this.#stream; tries += 1) {
      try {
        const response = await stream.ask(`tasks/${task.id}/told`, { method: "POST", headers: await this.#proof(stream) });
        if (response.ok) return (await response.json()).first;
        this.#xsrf = null; // perhaps there is another session by now
        if (response.status === 404 || response.status === 409) return false;
      } catch {
        // The server is away; it may be back in a moment.
      }
      await new Promise((resolve) => setTimeout(resolve, tries * TELL_AGAIN_SECONDS * 1000));
    }
    return false;
  }

  /** With a cookie, prove that the user's own page asks. Pages of other origins cannot read the cookie of the proof. */
  async #proof(stream) {
    if (this.#hasToken) return {};
    if (this.#xsrf === null) {
      const response = await stream.ask("../../session");
      this.#xsrf = response.ok ? (await response.json()).xsrf_token : "";
    }
    return this.#xsrf ? { "X-XSRF-TOKEN": this.#xsrf } : {};
  }
}

function kindOf(task, before) {
  if (!before && task.state === "waiting") return "submitted";
  return task.state === "started" && (before?.state !== "started" || before.attempts !== task.attempts) ? "started" : "progress";
}

if (!customElements.get("batch-task-indicator")) customElements.define("batch-task-indicator", BatchTaskIndicator);

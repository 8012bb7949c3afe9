/* Speaking to the server: one wrapper around fetch, which knows our addresses, our token and our errors. */

/** Address of something of the application, wherever it is mounted. @param {string} path without a slash in front */
export function here(path) {
  return new URL(`../${path}`, import.meta.url).href;
}

/** What the server refused, or that it did not answer (status 0); `message` says what to do. */
export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

const SILENT = "The server does not answer. Check your connection; nothing was changed.";
const SAFE = new Set(["GET", "HEAD"]);

/**
 * Ask the modern API, and return what it answers, decoded; null for an empty answer.
 * Goes to the login page when the session is over.
 * @param {string} path below `api/v2/`, such as `tasks/12`
 * @param {{method?: string, body?: unknown, query?: Record<string, unknown>, signal?: AbortSignal, headers?: object}} [options]
 *   a query's arrays repeat the name; null, undefined and "" are left out
 * @throws {Problem}
 */
export async function api(path, { method = "GET", body, query = {}, signal, headers = {} } = {}) {
  const response = await proven(address(path, query), {
    method,
    signal,
    credentials: "same-origin",
    headers: { Accept: "application/json", ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.ok) return response.status === 204 ? null : decoded(response);
  if (response.status === 401) toLogin();
  throw new Problem(response.status, await detail(response));
}

/** Ask whether something can be had, without taking it. @param {string} path below `api/v2/` @throws {Problem} */
export async function check(path) {
  const enough = new AbortController();
  const response = await ask(address(path), { credentials: "same-origin", cache: "no-store", signal: enough.signal });
  if (response.ok) return enough.abort();
  if (response.status === 401) toLogin();
  throw new Problem(response.status, await detail(response));
}

/** End the session, and show the login page. */
export async function logout() {
  await proven(here("logout"), { method: "POST", credentials: "same-origin" });
  location.assign(here("login"));
}

let leaving = false;
addEventListener("pageshow", () => { leaving = false; }); // whoever comes back may have to leave again

/** Show the login page, which leads back here. Once: another call would break off the way there, and begin anew. */
export function toLogin() {
  if (leaving) return;
  leaving = true;
  location.assign(`${here("login")}?next=${encodeURIComponent(location.pathname + location.search)}`);
}

/** Address below `api/v2/`, with a query. */
function address(path, query = {}) {
  const url = new URL(here(`api/v2/${path}`));
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) {
      if (one !== null && one !== undefined && one !== "") url.searchParams.append(name, String(one));
    }
  }
  return url.href;
}

async function ask(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, SILENT);
  }
}

/**
 * Ask with the header that proves that this page, and no other one, asks: the cookie's value. Other applications of
 * this host, on any port, may have a cookie of that name, too: when ours is not the one, the session tells.
 */
async function proven(url, options) {
  if (SAFE.has(options.method)) return ask(url, options);
  const sent = cookieToken();
  const response = await ask(url, withProof(options, sent));
  if (response.status !== 403) return response;
  const session = await ask(here("session"), { credentials: "same-origin", headers: { Accept: "application/json" } });
  const token = session.ok ? (await session.json()).xsrf_token : sent;
  return token === sent ? response : ask(url, withProof(options, token));
}

function withProof(options, token) {
  return { ...options, headers: { ...options.headers, ...(token ? { "X-XSRF-TOKEN": token } : {}) } };
}

function cookieToken() {
  const cookie = document.cookie.split("; ").find((one) => one.startsWith("XSRF-TOKEN="));
  return cookie ? cookie.slice("XSRF-TOKEN=".length) : "";
}

async function decoded(response) {
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

async function detail(response) {
  const problem = await decoded(response).catch(() => null);
  return problem?.detail || `The server answered with an error (${response.status}). Try again in a moment.`;
}

/* What every page of ours is built with; import from here. */

export { api, check, here, logout, Problem } from "./api.js";
export { h, icon, patch, replace, setText } from "./dom.js";
export { live } from "./live.js";
export { ask, notice, toast } from "./talk.js";
export { said } from "./long-text.js";
export { absolute, ago, clock, elapsed, localTimes, seconds, sinceThen, until } from "./time.js";
export { STATES, badge, progressBar } from "./states.js";
export { frame } from "./frame.js";

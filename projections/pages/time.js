/* Time in words, which keeps counting: one clock for the whole page. */

const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "long" });
const RELATIVE_NUMBERS = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "long" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const STEPS = [["second", 60], ["minute", 60], ["hour", 24]];
const DAYS = [["day", 30, 1], ["month", 365, 30.44], ["year", Infinity, 365.25]]; // each up to so many days, and how many it has

/** Seconds from one time to another, or to now. @param {string} from RFC 3339 @param {string|null} [to] */
export function seconds(from, to = null) {
  return ((to === null ? Date.now() : Date.parse(to)) - Date.parse(from)) / 1000;
}

/** "3 minutes ago", "in 2 hours", "just now". */
export function ago(time) {
  let count = -seconds(time);
  if (Math.abs(count) < 5) return count > 0 ? "in a moment" : "just now";
  for (const [unit, size] of STEPS) {
    if (Math.abs(count) < size) return RELATIVE.format(Math.trunc(count), unit);
    count /= size;
  }
  const days = midnights(time);
  const [unit, , size] = DAYS.find(([, most]) => Math.abs(days) < most);
  return unit === "day" ? RELATIVE.format(days, unit) : RELATIVE_NUMBERS.format(Math.trunc(days / size), unit);
}

/** Days of the calendar from now on: what is 30 hours off can be tomorrow or the day after. */
function midnights(time) {
  const [then, today] = [new Date(time), new Date()].map((one) => new Date(one.getFullYear(), one.getMonth(), one.getDate(), 12));
  return Math.round((then - today) / 86_400_000);
}

const WRITTEN = /\b(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC\b/g;

/** A sentence of the server with its times in the user's own zone. */
export function localTimes(text) {
  return text.replaceAll(WRITTEN, (_, day, at) => absolute(`${day}T${at}Z`));
}

/** Date and time to the second, in the user's own zone and manner. */
export function absolute(time) {
  return FULL.format(new Date(time));
}

/** "14:05", with the day when that is not today. */
export function clock(time) {
  const date = new Date(time);
  const at = CLOCK.format(date);
  return date.toDateString() === new Date().toDateString() ? at : `${DAY.format(date)}, ${at}`;
}

/** "8 s", "2 min 05 s", "3 h 20 min", "2 d 4 h". @param {number} count seconds */
export function elapsed(count) {
  const whole = Math.max(0, Math.round(count));
  const [minute, hour] = [Math.floor(whole / 60), Math.floor(whole / 3600)];
  if (count > 0 && count < 0.95) return `${Math.max(0.1, count).toFixed(1)} s`;
  if (minute < 1) return `${whole} s`;
  if (hour < 1) return `${minute} min ${String(whole % 60).padStart(2, "0")} s`;
  if (hour < 48) return `${hour} h ${String(minute % 60).padStart(2, "0")} min`;
  return `${Math.floor(hour / 24)} d ${hour % 24} h`;
}

/** A <time> that says how long ago, and keeps saying it. */
export function sinceThen(time) {
  return counting(time, () => ago(time));
}

/** A <time> that says how long something has been going on. */
export function until(time) {
  return counting(time, () => elapsed(seconds(time)));
}

const words = new WeakMap();

function counting(time, text) {
  const element = document.createElement("time");
  element.dateTime = time;
  element.title = absolute(time);
  element.textContent = text();
  words.set(element, text);
  start();
  return element;
}

let ticking = 0;

function start() {
  ticking ||= setInterval(() => {
    if (document.hidden) return;
    for (const element of document.querySelectorAll("time")) {
      const text = words.get(element)?.();
      if (text !== undefined && element.textContent !== text) element.textContent = text;
    }
  }, 1000);
}

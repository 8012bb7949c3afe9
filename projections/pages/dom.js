/* Elements without innerHTML: what tasks say is text of strangers, and stays text. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element.
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes] `on…` takes a listener, `class` and others a value;
 *   null, undefined and false leave the attribute out, true sets it empty
 * @param {...(Node|string|number|null|undefined|false|Array)} children text becomes text nodes
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...present(children));
  return element;
}

/** Put other children into an element. */
export function replace(element, ...children) {
  element.replaceChildren(...present(children));
  return element;
}

const shown = new WeakMap();

/**
 * Put other children into an element only when what they are made of has changed, so that focus and selection stay.
 * @param {Element} element
 * @param {unknown} key compared as JSON with that of the last time
 * @param {() => unknown} make the children
 */
export function patch(element, key, make) {
  const now = JSON.stringify(key);
  if (shown.get(element) === now) return;
  shown.set(element, now);
  replace(element, make());
}

/** Set text only when it is another one: screen readers and selections notice every change. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function present(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== "");
}

/* Strokes on a field of 16 by 16. */
const ICONS = {
  started: "M8 1.75v2.5M8 11.75v2.5M1.75 8h2.5M11.75 8h2.5M3.6 3.6l1.75 1.75M10.65 10.65l1.75 1.75M3.6 12.4l1.75-1.75M10.65 5.35l1.75-1.75",
  waiting: "M8 4.5V8l2.25 1.5M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0Z",
  succeeded: "M5.25 8.25l2 2 3.75-4.25M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0Z",
  failed: "M8 4.75v4M8 11.2v.05M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0Z",
  cancelled: "M4 12l8-8M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0Z",
  download: "M8 2v8M4.75 7.25 8 10.5l3.25-3.25M2.5 13.5h11",
  stop: "M4.5 4.5h7v7h-7z",
  replay: "M2.75 8a5.25 5.25 0 1 0 1.6-3.75L2.5 6M2.5 2.5V6H6",
  warning: "M8 6v3M8 11.4v.05M8 2 14.5 13.5h-13Z",
  offline: "M2 2l12 12M5.1 9.6a4.2 4.2 0 0 1 4-1M2.6 7a7.6 7.6 0 0 1 2.9-1.9M8 5a7.6 7.6 0 0 1 5.4 2M8 12.5v.05",
  theme: "M8 2a6 6 0 1 0 0 12ZM8 2a6 6 0 0 1 0 12",
  close: "M4 4l8 8M12 4l-8 8",
  leave: "M6 2.5H3v11h3M10 5l3 3-3 3M13 8H6",
  file: "M4 1.75h5L12.5 5v9.25H4ZM9 1.75V5h3.5",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.5 10.5 14 14",
  inbox: "M2 9.5 4 3h8l2 6.5v4H2ZM2 9.5h3.5l1 2h3l1-2H14",
  chevron: "M6 3.5 10.5 8 6 12.5",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3l7.5 5L5 13Z",
  trash: "M2.5 4h11M6 4V2.5h4V4M4 4l.75 9.5h6.5L12 4M6.75 6.5v4.5M9.25 6.5v4.5",
  check: "M3 8.5l3.25 3.25L13 5",
  wheels: "M10.5 6A4.5 4.5 0 1 1 1.5 6a4.5 4.5 0 0 1 9 0ZM7.5 6a1.5 1.5 0 1 1-3 0 1.5 1.5 0 0 1 3 0ZM14.5 12a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0Z",
};

/**
 * Make an icon; words beside it say what it means, so readers are not told of it.
 * @param {keyof typeof ICONS} name
 * @param {number} [size] pixels
 * @param {string} [kind] class
 */
export function icon(name, size = 16, kind = "") {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  const attributes = { viewBox: "0 0 16 16", width: size, height: size, fill: "none", "aria-hidden": "true", class: kind };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  path.setAttribute("d", ICONS[name]);
  path.setAttribute("stroke", "currentColor");
  path.setAttribute("stroke-width", "1.5");
  path.setAttribute("stroke-linecap", "round");
  path.setAttribute("stroke-linejoin", "round");
  svg.append(path);
  return svg;
}

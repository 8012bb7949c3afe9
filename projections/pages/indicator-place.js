/* Where the indicator's list and messages stand: in the browser's top layer, so that nothing of the page around cuts
   them off, covers them or drags them along, whatever its boxes and layers are like. */

const EDGE_PIXELS = 8;
const GAP_PIXELS = 6;

/** Show an element in front of the page. */
export function inFront(element) {
  if (element.isConnected && !element.matches(":popover-open")) element.showPopover();
}

/** Show it no more. */
export function away(element) {
  if (element.isConnected) element.hidePopover();
}

/** Keep a list beside its button until the signal says that it is closed. */
export function follow(list, button, signal) {
  const place = () => beside(list, button);
  for (const change of ["scroll", "resize"]) addEventListener(change, place, { capture: true, passive: true, signal });
  place();
}

/** Put a list below its button, or above where there is more room; their right edges are one if that fits. */
export function beside(list, button) {
  const at = button.getBoundingClientRect();
  const [below, above] = [innerHeight - at.bottom, at.top].map((room) => room - GAP_PIXELS - EDGE_PIXELS);
  list.style.setProperty("--_room", `${Math.max(below, above)}px`);
  const { offsetWidth: width, offsetHeight: height } = list;
  const left = at.right - width < EDGE_PIXELS ? Math.min(at.left, innerWidth - width - EDGE_PIXELS) : at.right - width;
  const top = below >= height || below >= above ? at.bottom + GAP_PIXELS : at.top - GAP_PIXELS - height;
  list.style.left = `${Math.max(left, EDGE_PIXELS)}px`;
  list.style.top = `${top}px`;
}

/* Style of the indicator. A constructed sheet, which a strict Content-Security-Policy of the page around allows.
   What a page may change: the custom properties below, and the parts box, button, wheels, label, panel, toasts, toast.
   The list and the messages take nothing but the font's family from the page: bars around us are set in strange ways. */

export const sheet = new CSSStyleSheet();

sheet.replaceSync(`
:host {
  display: contents; /* idle, nothing of it takes part in the page's layout */
  --_accent: var(--batch-accent, light-dark(#1f5fbf, #82b1ff));
  --_ink: var(--batch-ink, light-dark(#1b1d21, #e8eaed));
  --_ink-soft: var(--batch-ink-soft, light-dark(#5a5f68, #a2a9b3));
  --_surface: var(--batch-surface, light-dark(#ffffff, #1e2227));
  --_line: var(--batch-line, light-dark(#d9d9d5, #3a4048));
  --_good: var(--batch-good, light-dark(#17713c, #6fd195));
  --_bad: var(--batch-bad, light-dark(#b3261e, #ff9d94));
  --_radius: var(--batch-radius, 0.5rem);
}
:host([hidden]), [hidden] { display: none !important; }
* { box-sizing: border-box; margin: 0; }
.box { display: inline-block; position: relative; font: inherit; }
.button {
  display: inline-flex; align-items: baseline; gap: 0.4em; max-width: 16em; min-height: 24px; padding: 0.2em 0.5em;
  border: 0; border-radius: var(--_radius); background: none; color: inherit; font: inherit; cursor: pointer;
}
.button:hover, .button[aria-expanded="true"] { background: color-mix(in srgb, currentColor 10%, transparent); }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
.label { overflow: hidden; white-space: nowrap; text-overflow: ellipsis; font-variant-numeric: tabular-nums; }
.wheels { flex: none; align-self: center; fill: var(--batch-wheels, var(--_accent)); overflow: visible; }
.wheel { transform-box: fill-box; transform-origin: center; animation: turn 4.8s linear infinite; }
.small { animation-duration: 3.6s; animation-direction: reverse; }
@keyframes turn { to { transform: rotate(1turn); } }
@media (prefers-reduced-motion: reduce) { .wheel, .toast { animation: none; } }

.panel, .toasts {
  font-size: max(0.9375rem, 14px); font-style: normal; font-weight: 400; font-variant: normal; line-height: 1.45;
  letter-spacing: normal; word-spacing: normal; text-align: start; text-indent: 0; text-shadow: none; text-transform: none;
  white-space: normal; writing-mode: horizontal-tb; cursor: auto; user-select: auto; visibility: visible;
}
.panel {
  position: fixed; inset: auto; margin: 0;
  width: max-content; min-width: min(15rem, calc(100vw - 1rem)); max-width: min(24rem, calc(100vw - 1rem));
  max-height: min(28rem, 80vh, var(--_room, 80vh)); overflow: auto; padding: 0.25rem 0.9rem;
  background: var(--_surface); color: var(--_ink);
  border: 1px solid var(--_line); border-radius: var(--_radius); box-shadow: 0 12px 40px rgb(0 0 0 / 22%);
}
ul { list-style: none; padding: 0; }
.row {
  display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0.15rem 0.9rem; align-items: baseline; padding: 0.6rem 0;
}
.row + .row { border-block-start: 1px solid var(--_line); }
a { color: var(--_ink); font-weight: 600; text-decoration: none; overflow-wrap: anywhere; }
/* Names and sentences of any language and any length, each read in its own direction. */
.label, .row a, .progress, .head strong, .response { unicode-bidi: isolate; }
.row a, .progress {
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 3; overflow: hidden;
}
.row a, .progress, .response { unicode-bidi: plaintext; }
a:hover { text-decoration: underline; }
.state, .percent, .progress, .more, .response { color: var(--_ink-soft); font-size: 0.875em; }
.state, .percent { text-align: end; font-variant-numeric: tabular-nums; }
.progress { grid-column: 1 / -1; overflow-wrap: anywhere; }
.progress:empty, .percent:empty, .more:empty { display: none; }
.more { display: block; padding-block-end: 0.6rem; }
progress {
  align-self: center; width: 100%; height: 0.375rem; appearance: none; border: 0; border-radius: 1rem; overflow: hidden;
  background: color-mix(in srgb, var(--_accent) 22%, transparent);
}
progress::-webkit-progress-bar { background: none; }
progress::-webkit-progress-value { background: var(--_accent); border-radius: 1rem; }
progress::-moz-progress-bar { background: var(--_accent); border-radius: 1rem; }

.toasts {
  position: fixed; inset: auto 1rem 1rem auto; width: min(22rem, calc(100vw - 2rem)); height: auto; margin: 0; padding: 0;
  border: 0; overflow: visible; background: none; color: var(--_ink); pointer-events: none;
}
.toasts:popover-open { display: grid; gap: 0.5rem; }
.others { justify-self: end; pointer-events: auto; padding: 0.15rem 0.6rem; border-radius: var(--_radius); background: var(--_surface); font-size: 0.875em; }
.toast {
  position: relative; pointer-events: auto; padding: 0.75rem 2.5rem 0.75rem 1rem; display: grid; gap: 0.2rem; justify-items: start;
  background: var(--_surface); color: var(--_ink); text-align: start;
  border: 1px solid var(--_line); border-inline-start: 4px solid var(--_ink-soft); border-radius: var(--_radius);
  box-shadow: 0 12px 40px rgb(0 0 0 / 22%); animation: rise 160ms ease-out;
}
.toast.succeeded { border-inline-start-color: var(--_good); }
.toast.failed { border-inline-start-color: var(--_bad); }
.toast a { color: var(--_accent); font-size: 0.875em; }
.head, .response { overflow-wrap: anywhere; }
.close {
  position: absolute; inset: 0.4rem 0.4rem auto auto; width: 1.75rem; height: 1.75rem; border: 0; border-radius: var(--_radius);
  background: none; color: var(--_ink-soft); font-size: 1.1rem; line-height: 1; cursor: pointer;
}
.close:hover { background: color-mix(in srgb, currentColor 12%, transparent); }
@keyframes rise { from { opacity: 0; transform: translateY(0.5rem); } }
.spoken { position: fixed; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
`);

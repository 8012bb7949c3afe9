/* The login form is plain HTML and posts to the address that it has; this says why it is shown again. */

import { icon, notice, replace } from "./kit.js";

const asked = new URLSearchParams(location.search);

replace(document.querySelector("#mark"), icon("wheels", 32));
replace(document.querySelector("#message"), message());

function message() {
  const seconds = Number(asked.get("limited"));
  if (asked.has("limited")) return notice("warn", `Too many attempts. Wait ${waiting(seconds)}, then try again.`);
  if (asked.has("away")) return notice("warn", "Nobody can log in at the moment. Try again in a minute; if it lasts, tell an administrator.");
  if (asked.has("failed")) return notice("bad", "User name or password is wrong. Check both and try again.");
  return null;
}

function waiting(seconds) {
  if (!(seconds > 0)) return "a few minutes";
  return seconds < 90 ? `${Math.ceil(seconds)} seconds` : `${Math.ceil(seconds / 60)} minutes`;
}

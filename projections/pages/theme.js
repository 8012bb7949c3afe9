/* Puts on the theme that was chosen before anything is drawn: a classic script in the head, no module. */
(() => {
  try {
    const theme = localStorage.getItem("batchtask-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be forbidden; the system's own theme is fine then.
  }
})();

/* What the indicator says. A page in another language gives its own texts by the property `words`. */

export const WORDS = {
  label: "Batch tasks",
  one: (title) => title,
  several: (count) => String(count),
  oneInWords: (title) => `Batch task in progress: ${title}`,
  severalInWords: (count) => `${count} batch tasks in progress`,
  more: (count) => `and ${count} more`,
  waiting: "Waiting",
  started: "Running",
  stopping: "Stopping…",
  succeeded: "Done",
  failed: "Failed",
  cancelled: "Stopped",
  submittedSpoken: (title) => `${title}: waiting to start`,
  startedSpoken: (title) => `${title}: started`,
  finishedSpoken: (title, state) => `${title}: ${state}`,
  others: (count) => `and ${count} more`,
  open: "Open",
  close: "Close",
};

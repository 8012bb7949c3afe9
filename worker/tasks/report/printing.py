"""How reports and labels get on paper: the four ways out. They know nothing of the CRM, only `model`.

Every one of them streams its lines into a file beside `path`, which gets its name when it is whole. `progress` is
called with the number of lines printed so far; it may raise, and then nothing is left behind.
"""

from worker.tasks.report.labels import render_labels
from worker.tasks.report.pdf import render_pdf
from worker.tasks.report.text import render_csv, render_text

__all__ = ["render_csv", "render_labels", "render_pdf", "render_text"]

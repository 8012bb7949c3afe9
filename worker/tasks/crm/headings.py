"""The catalogue's English headings and words in the languages of reports.

The words themselves are in `headings_nordic`, `headings_western` and `headings_eastern`, a line for each.
"""

from __future__ import annotations

from worker.tasks.crm import headings_eastern, headings_nordic, headings_western

_TABLES: tuple[tuple[tuple[str, ...], str], ...] = (
    (headings_nordic.LANGUAGES, headings_nordic.WORDS),
    (headings_western.LANGUAGES, headings_western.WORDS),
    (headings_eastern.LANGUAGES, headings_eastern.WORDS),
)
_TRANSLATIONS = {
    (english, language): word
    for languages, words in _TABLES
    for english, *others in (line.split("|") for line in words.strip("\n").splitlines())
    for language, word in zip(languages, others, strict=True)
}


def translate(english: str, language_code: str) -> str:
    """Return a heading or word in a language, or as it is in English."""
    return _TRANSLATIONS.get((english, language_code.lower().partition("-")[0]), english)

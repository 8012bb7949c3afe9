"""Dates and numbers as letters write them; a table of ten languages, so that no locale of the server matters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, kw_only=True)
class Language:
    """How one language writes dates and numbers."""

    code: str  #: ISO, as in `{lanc}`
    name: str  #: `{lang}`
    crm_code: str  #: as in `{lanx}`
    months: tuple[str, ...]
    long: str = "{day} {month} {year}"
    short: str = "%d.%m.%y"
    decimal_comma: bool = True

    def long_date(self, day: date) -> str:
        return self.long.format(day=day.day, month=self.months[day.month - 1], year=day.year)

    def ordinal_date(self, day: date) -> str:
        """Write the day with a full stop: `10. December 2004`."""
        return f"{day.day}. {self.months[day.month - 1]} {day.year}"

    def short_date(self, day: date) -> str:
        return day.strftime(self.short)

    def full_date(self, day: date) -> str:
        """Write the day in digits, with the whole year."""
        return day.strftime(self.short.replace("%y", "%Y"))

    def time(self, moment: datetime) -> str:
        return moment.strftime("%H:%M")

    def number(self, value: float) -> str:
        text = f"{value:.15g}"
        return text.replace(".", ",") if self.decimal_comma else text


def _months(names: str) -> tuple[str, ...]:
    return tuple(names.split())


_ENGLISH = _months("January February March April May June July August September October November December")
_NORDIC = _months("januar februar mars april mai juni juli august september oktober november desember")
_DANISH = _months("januar februar marts april maj juni juli august september oktober november december")
_SWEDISH = _months("januari februari mars april maj juni juli augusti september oktober november december")
_GERMAN = _months("Januar Februar März April Mai Juni Juli August September Oktober November Dezember")
_DUTCH = _months("januari februari maart april mei juni juli augustus september oktober november december")
_FRENCH = _months("janvier février mars avril mai juin juillet août septembre octobre novembre décembre")
_POLISH = _months(
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia"
)
_GREEK = _months(
    "Ιανουαρίου Φεβρουαρίου Μαρτίου Απριλίου Μαΐου Ιουνίου Ιουλίου Αυγούστου Σεπτεμβρίου Οκτωβρίου Νοεμβρίου "
    "Δεκεμβρίου"
)
_WITH_STOP = "{day}. {month} {year}"

_LANGUAGES = {
    "en": Language(code="en-GB", name="English", crm_code="US", months=_ENGLISH, decimal_comma=False),
    "en-us": Language(
        code="en-US",
        name="English",
        crm_code="US",
        months=_ENGLISH,
        long="{month} {day}, {year}",
        short="%m/%d/%y",
        decimal_comma=False,
    ),
    "nb": Language(code="nb-NO", name="Norsk", crm_code="NO", months=_NORDIC, long=_WITH_STOP),
    "da": Language(code="da-DK", name="Dansk", crm_code="DA", months=_DANISH, long=_WITH_STOP),
    "sv": Language(code="sv-SE", name="Svenska", crm_code="SW", months=_SWEDISH, short="%Y-%m-%d"),
    "de": Language(code="de-DE", name="Deutsch", crm_code="GE", months=_GERMAN, long=_WITH_STOP),
    "nl": Language(code="nl-NL", name="Nederlands", crm_code="NL", months=_DUTCH, short="%d-%m-%y"),
    "fr": Language(code="fr-FR", name="Français", crm_code="FR", months=_FRENCH, short="%d/%m/%y"),
    "pl": Language(code="pl-PL", name="Polski", crm_code="PL", months=_POLISH),
    "el": Language(code="el-GR", name="Ελληνικά", crm_code="GR", months=_GREEK, short="%d/%m/%y"),
}


def find_language(code: str) -> Language | None:
    """Find a language by its ISO code, or by the CRM's (`NO`, `GE`); of a region that is not listed, its language."""
    lowered = code.lower().replace("_", "-")
    by_crm = {language.crm_code.lower(): language for language in reversed(_LANGUAGES.values())}
    return _LANGUAGES.get(lowered) or _LANGUAGES.get(lowered.partition("-")[0]) or by_crm.get(lowered)


def known_languages() -> str:
    return ", ".join(sorted(_LANGUAGES))

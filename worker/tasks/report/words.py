"""The words that reports add by themselves, in the reader's language; English where it is not known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Words:
    """One language."""

    page: str
    total: str
    none: str  #: heading of the group without a value
    empty: str
    yes: str
    no: str
    printed: str  #: `{user}` and `{time}`
    totals: tuple[str, str, str, str, str]  #: sum, average, count, least, most


_WORDS: Mapping[str, Words] = {
    "en": Words(page="Page {page} of {pages}", total="Total", none="(none)", empty="Nothing was found.", yes="Yes",
                no="No", printed="Printed by {user}, {time}",
                totals=("Total", "Average", "Count", "Lowest", "Highest")),
    "nb": Words(page="Side {page} av {pages}", total="Totalt", none="(ingen)", empty="Ingenting ble funnet.",
                yes="Ja", no="Nei", printed="Skrevet ut av {user}, {time}",
                totals=("Sum", "Gjennomsnitt", "Antall", "Lavest", "Høyest")),
    "da": Words(page="Side {page} af {pages}", total="I alt", none="(ingen)", empty="Intet blev fundet.", yes="Ja",
                no="Nej", printed="Udskrevet af {user}, {time}",
                totals=("I alt", "Gennemsnit", "Antal", "Lavest", "Højest")),
    "sv": Words(page="Sida {page} av {pages}", total="Totalt", none="(ingen)", empty="Ingenting hittades.", yes="Ja",
                no="Nej", printed="Utskrivet av {user}, {time}",
                totals=("Summa", "Medelvärde", "Antal", "Lägst", "Högst")),
    "de": Words(page="Seite {page} von {pages}", total="Gesamt", none="(ohne)", empty="Es wurde nichts gefunden.",
                yes="Ja", no="Nein", printed="Gedruckt von {user}, {time}",
                totals=("Summe", "Durchschnitt", "Anzahl", "Kleinster", "Größter")),
    "nl": Words(page="Pagina {page} van {pages}", total="Totaal", none="(geen)", empty="Er is niets gevonden.",
                yes="Ja", no="Nee", printed="Afgedrukt door {user}, {time}",
                totals=("Totaal", "Gemiddelde", "Aantal", "Laagste", "Hoogste")),
    "fr": Words(page="Page {page} sur {pages}", total="Total", none="(aucun)", empty="Rien n’a été trouvé.",
                yes="Oui", no="Non", printed="Imprimé par {user}, {time}",
                totals=("Total", "Moyenne", "Nombre", "Minimum", "Maximum")),
    "pl": Words(page="Strona {page} z {pages}", total="Razem", none="(brak)", empty="Nic nie znaleziono.", yes="Tak",
                no="Nie", printed="Wydrukował(a) {user}, {time}",
                totals=("Razem", "Średnia", "Liczba", "Najmniej", "Najwięcej")),
    "el": Words(page="Σελίδα {page} από {pages}", total="Σύνολο", none="(κανένα)", empty="Δεν βρέθηκε τίποτα.",
                yes="Ναι", no="Όχι", printed="Εκτυπώθηκε από {user}, {time}",
                totals=("Σύνολο", "Μέσος όρος", "Πλήθος", "Ελάχιστο", "Μέγιστο")),
}  # fmt: skip

#: Characters between thousands, and before decimals.
_SEPARATORS = {"en": (",", "."), "da": (".", ","), "de": (".", ","), "nl": (".", ","), "el": (".", ",")}
_SPACED = ("\N{NO-BREAK SPACE}", ",")


def words_of(language_code: str) -> Words:
    return _WORDS.get(_base(language_code), _WORDS["en"])


def separators_of(language_code: str) -> tuple[str, str]:
    """Return what stands between thousands, and before decimals."""
    return _SEPARATORS.get(_base(language_code), _SPACED)


def _base(code: str) -> str:
    return code.lower().partition("-")[0]

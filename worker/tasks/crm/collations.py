"""The order of texts in a language: where Å stands, and whether capitals count."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

from worker.tasks.crm.languages import Language

_COLLATIONS = text("SELECT collname FROM pg_collation WHERE collname = ANY(:names)")
#: Letters of their own behind Z, and characters that stand in the same order there.
_BEHIND_Z = {"nb": ("æäøöå", "{{||}"), "da": ("æäøöå", "{{||}"), "sv": ("åäæöø", "{||}}")}
_ACCENTS = ("áàâãäåąæçćéèêëęíîïłñńóòôõöøśúùûüýźż", "aaaaaaaacceeeeeiiilnnoooooosuuuuyzz")


@dataclass(frozen=True, kw_only=True)
class TextOrder:
    """How texts are sorted."""

    collation: str  #: "" = the database has none for the language
    language: str  #: two letters

    def of(self, column: str) -> str:
        """Return what to ORDER BY; without a collation, what comes close to it in Latin letters."""
        if self.collation:
            return f'{column} COLLATE "{self.collation}"'
        own, behind = _BEHIND_Z.get(self.language, ("", ""))
        return f"translate(translate(lower({column}), '{own}', '{behind}'), '{_ACCENTS[0]}', '{_ACCENTS[1]}')"


def find_collation(connection: Connection, language: Language) -> str:
    """Return the best order that this database has for a language; "" for its own."""
    wanted = [f"{language.code}-x-icu", f"{language.code.partition('-')[0]}-x-icu", "und-x-icu"]
    there = set(connection.scalars(_COLLATIONS, {"names": wanted}))
    return next((name for name in wanted if name in there), "")


def text_order(connection: Connection, language: Language) -> TextOrder:
    """Return how texts are sorted for readers of a language."""
    return TextOrder(collation=find_collation(connection, language), language=language.code[:2])

"""The order of texts in a language: where Å stands, and whether capitals count."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, collate, func, text

from worker.tasks.crm.alphabet import translation
from worker.tasks.crm.fields import Expression
from worker.tasks.crm.languages import Language

_COLLATIONS = text("SELECT collname FROM pg_collation WHERE collname = ANY(:names)")


@dataclass(frozen=True, kw_only=True)
class TextOrder:
    """How texts are sorted for the readers of a language."""

    collation: str  #: "" = the database has none for the language
    language_code: str

    def keys(self, value: Expression) -> list[Expression]:
        """Make what to ORDER BY; equal texts stand side by side."""
        if self.collation:
            return [collate(value, self.collation)]
        return [func.translate(func.lower(value), *translation(self.language_code)), value]


def text_order(connection: Connection, language: Language) -> TextOrder:
    """Find the best order that this database has for a language."""
    wanted = [f"{language.code}-x-icu", f"{language.code.partition('-')[0]}-x-icu", "und-x-icu"]
    there = set(connection.scalars(_COLLATIONS, {"names": wanted}))
    return TextOrder(collation=next((name for name in wanted if name in there), ""), language_code=language.code)

"""Postal addresses: which one a letter goes to, and how it is written in the country it goes to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

#: Where the CRM has no layout for a country, in its own label language.
DEFAULT_LABEL = r"ndep[\n]atmr[ ]attn|x|[\n]addr[\n]pad2[\n]pad3[\n]cozi[ ]city[\n]cnt?"
_TOKENS = re.compile(r"(\[[^\]]*\])|(\|[xX]\|)|([^\[|]+|\|)")


@dataclass(frozen=True, kw_only=True)
class Country:
    """A row of `crm7.country`, as far as letters need it."""

    name: str = ""
    english_name: str = ""
    code: str = ""
    zip_prefix: str = ""
    domestic_layout: int = 0
    foreign_layout: int = 0


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a letter goes; all fields may be empty."""

    line1: str = ""
    line2: str = ""
    line3: str = ""
    zipcode: str = ""
    city: str = ""
    county: str = ""
    state: str = ""
    country: Country = Country()

    def __bool__(self) -> bool:
        return any((self.line1, self.line2, self.line3, self.zipcode, self.city))

    @property
    def zip_city(self) -> str:
        return _joined(self.zipcode, self.city)

    @property
    def city_state_zip(self) -> str:
        """As in America: `Bedford, MA 01730`."""
        return ", ".join(part for part in (self.city, _joined(self.state, self.zipcode)) if part)

    @property
    def prefixed_zip(self) -> str:
        """With the country's prefix, which Germany does not use any more."""
        prefix = "" if self.country.code == "DE" else self.country.zip_prefix
        return f"{prefix}{self.zipcode}" if self.zipcode else ""


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def first_filled(addresses: Sequence[Address]) -> Address:
    """Return the first address that says something; the order is home if wanted, postal, street."""
    return next((address for address in addresses if address), Address())


@dataclass(frozen=True, kw_only=True)
class Layouts:
    """Label texts of `crm7.addressformat`, by layout id."""

    labels: Mapping[int, str]
    own_country: str  #: two-letter code of the sender's

    def label(self, country: Country) -> str:
        """Return the label text for a letter to `country`: its domestic layout if that is our own country."""
        domestic = bool(country.code) and country.code == self.own_country
        layout = country.domestic_layout if domestic else country.foreign_layout
        return self.labels.get(layout) or DEFAULT_LABEL


def format_label(label: str, value: Callable[[str], str | None]) -> list[str]:
    """Write an address by a label text and return its lines.

    Args:
        label: Variable names without braces and text, with `[...]` for text that stands only between two values
            and `[\\n]` for a new line; `|x|` parts name from address and prints nothing.
        value: Gives a variable's value, or None for what is no variable and so is text.
    """
    lines = [""]
    separator = ""
    for conditional, divider, plain in _TOKENS.findall(label):
        if divider:
            continue
        text = conditional[1:-1].replace("\\n", "\n") if conditional else _substitute(plain, value)
        if conditional:
            # Of several separators in a row, as empty values leave them, a new line wins over text.
            separator = "\n" if "\n" in separator + text else text
        elif text:
            _append(lines, separator, text)
            separator = ""
    return [line for line in lines if line]


def _append(lines: list[str], separator: str, text: str) -> None:
    first, *others = text.split("\n")
    if separator == "\n":
        lines.append(first)
    else:
        lines[-1] += (separator if lines[-1] else "") + first
    lines.extend(others)


def _substitute(plain: str, value: Callable[[str], str | None]) -> str:
    whole = value(plain.strip().lower())
    return plain if whole is None else whole.strip()

"""Variables that are another variable's value, written differently: without protocol, with the country's prefix."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from worker.tasks.crm.languages import Language
from worker.tasks.crm.senders import Sender

#: The country's dialling prefix; its name cannot be written in a template.
DIAL_PREFIX = "dial*"

Derive = Callable[[str, str], str]  # value, dialling prefix → text


def _digits(value: str, _: str) -> str:
    return "".join(character for character in value if character.isdecimal() or character == "+")


def _without_protocol(value: str, _: str) -> str:
    return re.sub(r"^[A-Za-z]+://", "", value)


def _with_prefix(value: str, prefix: str) -> str:
    """Add the country's prefix, if the number does not begin with one."""
    if not value or not prefix or value.startswith(("+", "00")):
        return value
    return f"+{prefix.lstrip('+0')} {value}"


#: By name: the variable it is made of, and how.
DERIVED: Mapping[str, tuple[str, Derive]] = {
    "faxs": ("faxn", _digits),
    "cwnp": ("cwww", _without_protocol),
    "awnp": ("awww", _without_protocol),
    "cpht": ("cpho", _with_prefix),
    "phot": ("phon", _with_prefix),
    "apht": ("apho", _with_prefix),
    "atpm": ("atpc", _with_prefix),
    "atpt": ("atph", _with_prefix),
    "atpl": ("atpp", _with_prefix),
}


#: Of the sender: the person's, by the prefix of their country, ...
_SENDER_DERIVED: Mapping[str, tuple[str, Derive]] = {
    "audl": ("audp", _with_prefix),
    "audi": ("audf", _with_prefix),
    "aupm": ("aupc", _with_prefix),
    "aupt": ("aupp", _with_prefix),
    "aupl": ("auph", _with_prefix),
    "auwn": ("auww", _without_protocol),
}
#: ... and the company's, by that of its own.
_OWN_DERIVED: Mapping[str, tuple[str, Derive]] = {"ophi": ("opho", _with_prefix)}
#: Made of the sender's variables by `of_sender`.
SENDER_DERIVED = frozenset({"aubd", *_SENDER_DERIVED, *_OWN_DERIVED})


def of_sender(sender: Sender, language: Language) -> dict[str, str]:
    """Return the values of `SENDER_DERIVED`."""
    values = sender.values
    return {
        "aubd": language.full_date(sender.birth_date) if sender.birth_date else "",
        **{name: derive(values[base], sender.dial_prefix) for name, (base, derive) in _SENDER_DERIVED.items()},
        **{name: derive(values[base], sender.company_dial_prefix) for name, (base, derive) in _OWN_DERIVED.items()},
    }


def needed_for(names: set[str]) -> set[str]:
    """Return what must be looked up for the derived variables among `names`."""
    bases = {DERIVED[name][0] for name in names & DERIVED.keys()}
    return bases | {DIAL_PREFIX} if bases else bases

"""What each `{variable}` stands for; those the database answers by itself are in `recipients`.

A getter takes a `Merge` (what all letters share) and a `Recipient`, and returns text; what is not known is "".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from worker.tasks.crm.addresses import Country, Layouts, format_label
from worker.tasks.crm.languages import Language
from worker.tasks.crm.senders import SENDER_VARIABLES, USER_VARIABLES, Sender, birth_date
from worker.tasks.mail_merge import MailMerge
from worker.tasks.mail_merge.by_email.placeholders import Placeholders
from worker.tasks.mail_merge.derived import DERIVED, DIAL_PREFIX, SENDER_DERIVED, needed_for
from worker.tasks.mail_merge.recipients import Recipient, is_lookup
from worker.tasks.mail_merge.records import is_record_variable
from worker.tasks.mail_merge.user_fields import UserFields, user_field
from worker.tasks.mail_merge.variables_in_text import Rules

#: `{fad1}` to `{fadq}`, the lines of an address; `fad*` is Word's address block.
_LINES = {f"fad{character}": position for position, character in enumerate("123456789abcdefghijklmnopq")}
ADDRESS_BLOCK = "fad*"
FILE_NAME = "file*"  #: of the letter's own file


@dataclass(frozen=True, kw_only=True)
class Merge:
    """What all letters of one merge share."""

    parameters: MailMerge
    sender: Sender
    own_country: Country
    layouts: Layouts
    language: Language
    now: datetime
    selection_name: str
    file_name: str
    user_fields: UserFields = field(default_factory=UserFields)
    records: Mapping[str, str] = field(default_factory=dict)  #: of project, sale, document, sender and user, by name


Getter = Callable[[Merge, Recipient], str]


def _column(name: str) -> Getter:
    return lambda _, recipient: _plain(recipient.row[name])


def _plain(value: object) -> str:
    return "" if value is None else str(value)


def _joined(*parts: str | None) -> str:
    return " ".join(part for part in parts if part)


def _full_name(recipient: Recipient) -> str:
    row = recipient.row
    return _joined(row["firstname"], row["middlename"], row["lastname"])


def _attention(merge: Merge, recipient: Recipient) -> str:
    wanted, person = merge.parameters.attention, _full_name(recipient)
    if merge.parameters.attention_use == "always" and wanted:
        return wanted
    return person or wanted


def _salutation(merge: Merge, recipient: Recipient) -> str:
    row = recipient.row
    formal = _joined(row["mrmrs"], row["lastname"]) if row["mrmrs"] and row["lastname"] else ""
    return merge.parameters.salutation or formal or _attention(merge, recipient) or _plain(row["name"])


def _birth_date(merge: Merge, recipient: Recipient) -> str:
    born = birth_date(recipient.row)
    return merge.language.full_date(born) if born else ""


def _country_abroad(merge: Merge, country: Country) -> str:
    return "" if merge.own_country.name and country == merge.own_country else country.name


def _time_zone(moment: datetime) -> str:
    """Write the difference to Greenwich, such as (GMT+1) or (GMT+5:30)."""
    offset = moment.astimezone().utcoffset() or timedelta()
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    return f"(GMT{'-' if offset < timedelta() else '+'}{hours}{f':{minutes:02}' if minutes else ''})"


def _initial(recipient: Recipient) -> str:
    return _plain(recipient.row["firstname"])[:1]


def _line_feed(country: Country, *codes: str) -> str:
    """End a line in the countries that write an address so."""
    return "\n" if country.code in codes else ""


_COMPANY: dict[str, Getter] = {
    "name": _column("name"),
    "dept": _column("department"),
    "ndep": lambda _, r: "\n".join(part for part in (r.row["name"], r.row["department"]) if part),
    "numb": _column("number1"),
    "code": _column("number2"),
    "orgn": _column("orgnr"),
    "cuid": lambda _, r: str(r.row["contact_id"] or ""),
    "cntr": lambda _, r: r.address.country.name,
    "cnt?": lambda merge, r: _country_abroad(merge, r.address.country),
    "cicn": lambda _, r: r.address.country.english_name,
    "ccid": lambda _, r: r.address.country.code,
    "addr": lambda _, r: r.address.line1,
    "padr": lambda _, r: r.address.line1,
    "pad2": lambda _, r: r.address.line2,
    "pad3": lambda _, r: r.address.line3,
    "zipc": lambda _, r: r.address.zipcode,
    "city": lambda _, r: r.address.city,
    "zici": lambda _, r: r.address.zip_city,
    "cszc": lambda _, r: r.address.city_state_zip,
    "czip": lambda _, r: _joined(r.address.county, r.address.zipcode),
    "cnty": lambda _, r: r.address.county,
    "stat": lambda _, r: r.address.state,
    "sams": lambda _, r: _joined(r.address.line1, r.address.line3),
    "cozg": lambda _, r: _line_feed(r.address.country, "DE"),
    "cozn": lambda _, r: _line_feed(r.address.country, "AU", "GB"),
    "cspi": lambda _, r: str(r.row["supportpersonid"] or ""),
    "zino": lambda _, r: r.address.country.zip_prefix,
    "cozi": lambda _, r: r.address.prefixed_zip,
    "sadr": lambda _, r: r.street.line1,
    "sad2": lambda _, r: r.street.line2,
    "sad3": lambda _, r: r.street.line3,
    "zipp": lambda _, r: r.street.zipcode,
    "szip": lambda _, r: r.street.zipcode,
    "scit": lambda _, r: r.street.city,
    "ssta": lambda _, r: r.street.state,
}

_PERSON: dict[str, Getter] = {
    "attn": _attention,
    "atfn": _column("firstname"),
    "atmn": _column("middlename"),
    "atln": _column("lastname"),
    "atm?": _column("middlename"),
    "atmr": _column("mrmrs"),
    "atti": _column("title"),
    "asal": _column("salutation"),
    "atin": lambda _, r: _initial(r),
    "ati": lambda _, r: f"{_initial(r)}." if _initial(r) else "",
    "ati.": lambda _, r: f"{_initial(r)}." if _initial(r) else "",
    "atid": lambda _, r: str(r.row["person_id"] or ""),
    "anum": _column("person_number"),
    "adep": _column("person_department"),
    "abdt": _birth_date,
    "aret": lambda _, r: str(bool(r.row["retired"])) if r.row["person_id"] else "",
    "apli": lambda _, r: str(r.row["supportlanguageid"] or ""),
    "pos1": _column("post1"),
    "pos2": _column("post2"),
    "pos3": _column("post3"),
    "acid": lambda _, r: r.home.country.code if r.row["person_id"] else "",
    "actg": lambda _, r: _line_feed(r.home.country, "DE"),
    "atms": lambda _, r: r.home.line3,
    "apad": lambda _, r: r.home.line1,
    "apa2": lambda _, r: r.home.line2,
    "apa3": lambda _, r: r.home.line3,
    "acit": lambda _, r: r.home.city,
    "azip": lambda _, r: r.home.zipcode,
    "acsz": lambda _, r: r.home.city_state_zip,
    "asta": lambda _, r: r.home.state,
    "acnt": lambda _, r: r.home.county,
    "actr": lambda _, r: r.home.country.name if r.row["person_id"] else "",
    "act?": lambda merge, r: _country_abroad(merge, r.home.country) if r.row["person_id"] else "",
}

_DOCUMENT: dict[str, Getter] = {
    "salu": _salutation,
    "slid": lambda merge, _: str(merge.parameters.selection_id or ""),
    "snam": lambda merge, _: merge.selection_name,
    "file": lambda merge, _: merge.file_name,
    "date": lambda merge, _: merge.language.long_date(merge.now),
    "dat1": lambda merge, _: merge.language.ordinal_date(merge.now),
    "sdat": lambda merge, _: merge.language.short_date(merge.now),
    "time": lambda merge, _: merge.language.time(merge.now),
    "ltim": lambda merge, _: merge.now.strftime("%H:%M:%S"),
    "lang": lambda merge, _: merge.language.name,
    "lanc": lambda merge, _: merge.language.code,
    "lani": lambda merge, _: merge.language.code[:2],
    "btod": lambda merge, _: merge.now.astimezone(UTC).strftime("%Y%m%d"),
    "btzt": lambda merge, _: _time_zone(merge.now),
    "btot": lambda merge, _: merge.now.strftime("%H%M%S"),
    "pltf": lambda _, __: "web",
    "vern": lambda _, __: f"Batch Task Server {version('batchtask')}",
    "ver#": lambda _, __: version("batchtask"),
    "verf": lambda _, __: version("batchtask"),
    "iocn": lambda merge, _: merge.sender.values.get("onam", ""),
    "lanx": lambda merge, _: merge.language.crm_code,
    "ocnr": lambda merge, _: merge.own_country.name,
    "ocid": lambda merge, _: merge.own_country.code,
}

#: Texts of the task's parameters that may hold variables themselves.
TEXTS = {"head": "heading", "oref": "our_ref", "yref": "your_ref", "desc": "description", FILE_NAME: "file_pattern"}
_LETTER_NUMBER = "snum"
#: Documented, but of an installation of the original, or not of letters: they print nothing.
_BLANK = frozenset({
    "ser#", "ptha", "pthi", "pthp", "uctx", "feat", "clie", "aspr", "csbu", "csbl", "csbn", "csiu", "cscu", "csre",
    "csrm", "csti", "diid", "dday", "tiid", "ufun", "adm?", "ulic", "mgdn", "mgma", "usec",
})  # fmt: skip
_GETTERS = _COMPANY | _PERSON | _DOCUMENT


def rules_of(parameters: MailMerge) -> Rules:
    """Say what counts as a variable."""
    return Rules(known=KnownNames(), case_sensitive=parameters.case_sensitive, unknown=parameters.unknown_variables)


class Variables:
    """All variables, as a container of their names and a maker of values for those in use."""

    def __init__(self, merge: Merge, names: Iterable[str] = ()) -> None:
        self._merge = merge
        rules = rules_of(merge.parameters)
        self._texts = {
            name: Placeholders(str(getattr(merge.parameters, field)) or merge.records.get(name, ""), rules)
            for name, field in TEXTS.items()
        }
        inner = set().union(*(text.names for text in self._texts.values()))
        self._names = set(names) | inner - set(TEXTS)
        self.lookups = {name for name in self._names if is_lookup(name)} | needed_for(self._names)

    def of(self, recipient: Recipient, number: int) -> dict[str, str]:
        """Return the values of the variables in use, for the letter of this number (from 1)."""
        values = {name: self._value(name, recipient, number) for name in self._names if name not in TEXTS}
        values.update(self._addresses(recipient))
        # One of these texts within another is printed as it stands.
        known = values | {name: f"{{{name}}}" for name in TEXTS}
        for name in self._names & set(TEXTS):
            values[name] = self._texts[name].fill(known)
        return values

    def user_defined(self) -> dict[str, int | None]:
        """Return which user-defined field each variable in use prints, by identity; None for none."""
        return {name: self._merge.user_fields.identity(name) for name in sorted(self._names) if user_field(name)}

    def _value(self, name: str, recipient: Recipient, number: int) -> str:
        if getter := _GETTERS.get(name):
            return getter(self._merge, recipient)
        if name in self.lookups:
            return self._looked_up(name, recipient)
        if name in DERIVED:
            base, derive = DERIVED[name]
            return derive(_plain(recipient.row[base]), _plain(recipient.row[DIAL_PREFIX]))
        if name == _LETTER_NUMBER:
            return str(number)
        if name in self._merge.records:
            return self._merge.records[name]
        return self._merge.sender.values.get(name, "")

    def _looked_up(self, name: str, recipient: Recipient) -> str:
        found = recipient.row[name]
        if user_field(name):
            return self._merge.user_fields.text(name, found, self._merge.language)
        return _plain(found)

    def _addresses(self, recipient: Recipient) -> Iterator[tuple[str, str]]:
        names = [name for name in self._names if name in _LINES or name == ADDRESS_BLOCK]
        if not names:
            return
        lines = self.label(recipient)
        for name in names:
            position = _LINES.get(name, len(lines))
            yield name, lines[position] if position < len(lines) else ""
        if ADDRESS_BLOCK in names:
            yield ADDRESS_BLOCK, "\n".join(lines)

    def label(self, recipient: Recipient) -> list[str]:
        """Write the recipient's name and address as its country wants it."""
        label = self._merge.layouts.label(recipient.address.country)
        return format_label(label, lambda name: self._label_value(name, recipient))

    def _label_value(self, name: str, recipient: Recipient) -> str | None:
        getter = _GETTERS.get(name)
        return getter(self._merge, recipient) if getter else None


_NAMES = (
    _GETTERS,
    _LINES,
    TEXTS,
    DERIVED,
    SENDER_VARIABLES,
    SENDER_DERIVED,
    USER_VARIABLES,
    {_LETTER_NUMBER, ADDRESS_BLOCK},
    _BLANK,
)


def is_variable(name: str) -> bool:
    return (
        any(name in names for names in _NAMES)
        or is_lookup(name)
        or is_record_variable(name)
        or bool(user_field(name))
    )


def unknown_in(pattern: str) -> list[str]:
    """List what stands in braces in a text and is no variable."""
    return [found[0] for found in re.finditer(r"\{([^{}]*)\}", pattern) if not is_variable(found[1])]


class KnownNames:
    """Every variable there is, for the search in a template."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and is_variable(name)

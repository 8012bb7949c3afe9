"""E-mail addresses as they are typed into a CRM, and as SMTP takes them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import idna

#: A local part that needs no quotes, in any script: https://www.rfc-editor.org/rfc/rfc6531#section-3.3
_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*")
_LONGEST_LOCAL, _LONGEST = 64, 254  # bytes: https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1


@dataclass(frozen=True)
class MailAddress:
    """An address whose domain is written in ASCII, as every server takes it."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def is_international(self) -> bool:
        """True if only servers with SMTPUTF8 can take it: nothing can stand for letters before the @."""
        return not self.local.isascii()


def read_address(text: str) -> MailAddress | None:
    """Read an address; None if it cannot be one. Quoted local parts and bare host names are not taken."""
    local, at, domain = text.strip().rpartition("@")
    if not (at and _LOCAL.fullmatch(local)) or len(local.encode()) > _LONGEST_LOCAL:
        return None
    try:
        ascii_domain = idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return None
    if "." not in ascii_domain or len(local.encode()) + 1 + len(ascii_domain) > _LONGEST:
        return None
    return MailAddress(local, ascii_domain)

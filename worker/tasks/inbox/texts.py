"""Text out of whatever mail programs send, and into what a column takes. Nothing here fails on any input."""

from __future__ import annotations

import base64
import binascii
import codecs
import quopri
import re

import lxml.etree
import lxml.html

#: What mail programs call these means more characters than the standards say; browsers read them so, too.
#: https://encoding.spec.whatwg.org/#names-and-labels
_MEANT = {
    "us-ascii": "cp1252", "ascii": "cp1252", "iso-8859-1": "cp1252", "latin1": "cp1252", "gb2312": "gb18030",
    "gbk": "gb18030", "ks_c_5601-1987": "cp949", "euc-kr": "cp949", "shift_jis": "cp932",
    "iso-8859-8-i": "iso-8859-8", "iso-8859-9": "cp1254", "x-sjis": "cp932", "utf8mb4": "utf-8",
}  # fmt: skip
_BLOCKS = {"address", "article", "blockquote", "br", "div", "dd", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr",
           "li", "p", "pre", "section", "table", "tr", "ul", "ol"}  # fmt: skip
_HIDDEN = {"head", "script", "style", "template", "title"}
#: HTML nests deeper than this only to do harm; the rest of it is left out.
_DEEPEST = 200


def clean(text: str) -> str:
    """Leave out what a text of PostgreSQL cannot hold."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def cut(text: str, length: int) -> str:
    """Make a text fit a column of so many characters."""
    return clean(text)[:length]


def decode(octets: bytes, charset: str = "") -> str:
    """Read text in a character set that may be missing, unknown or wrong, and may end within a character."""
    wanted = charset.strip().strip("\"'").lower()
    named = _MEANT.get(wanted, wanted)
    if named in {"", "cp1252", "unknown-8bit", "x-unknown", "default"}:
        return _guess(octets)
    try:
        b"a".decode(named, "replace")  # refuses what is no character set, such as "hex"
        return codecs.getincrementaldecoder(named)("replace").decode(octets)
    except (LookupError, ValueError, TypeError):
        return _guess(octets)  # a codec that is unknown, or is none for text


def _guess(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        whole = octets[: error.start]
        if error.reason == "unexpected end of data" and not whole.isascii():
            return whole.decode()
        return octets.decode("cp1252", "replace")


def unpack(octets: bytes, encoding: str) -> bytes:
    """Undo the transfer encoding of a part, of which the end may be missing."""
    match encoding.lower():
        case "base64":
            return _unpack_base64(octets)
        case "quoted-printable":
            return quopri.decodestring(re.sub(rb"=[0-9A-Fa-f]?$", b"", octets))
    return octets


def _unpack_base64(octets: bytes) -> bytes:
    digits = re.sub(rb"[^A-Za-z0-9+/]", b"", octets)
    whole = len(digits) // 4 * 4
    rest = digits[whole:] if len(digits) - whole > 1 else b""
    try:
        return base64.b64decode(digits[:whole] + rest + b"=" * (-len(rest) % 4))
    except binascii.Error:
        return b""


def html_to_text(html: str) -> str:
    """Return what a reader of the HTML would see, block by block."""
    source = re.sub(r"^\s*<\?xml[^>]*>", "", html)  # lxml refuses a text that names its own encoding
    try:
        document = lxml.html.document_fromstring(source)
    except (lxml.etree.LxmlError, ValueError, AssertionError):
        return ""
    pieces: list[str] = []
    _collect(document, pieces)
    lines = (re.sub(r"[ \t\r\n\xa0]+", " ", line).strip() for line in "".join(pieces).split("\f"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _collect(element: lxml.etree._Element, pieces: list[str], depth: int = 0) -> None:
    if isinstance(element.tag, str) and element.tag not in _HIDDEN and depth < _DEEPEST:
        is_block = element.tag in _BLOCKS
        pieces += ["\f"] * is_block + [element.text or ""]
        for child in element:
            _collect(child, pieces, depth + 1)
        pieces += ["\f"] * (is_block and element.tag != "br")
    pieces.append(element.tail or "")

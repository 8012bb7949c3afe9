"""Headers, texts and structures as strangers write them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.tasks.inbox.headers import read_addresses, read_date, read_headers, read_words
from worker.tasks.inbox.imap.names import decode_name, quoted
from worker.tasks.inbox.imap.tokens import Literal, read_values
from worker.tasks.inbox.imap.uids import expand, read_ranges, within, write_set
from worker.tasks.inbox.structure import read_parts
from worker.tasks.inbox.texts import clean, cut, decode, html_to_text, unpack


@pytest.mark.parametrize(
    ("raw", "name"),
    [(b"INBOX", "INBOX"), (b"Kunder &AOYA+ADl-", "Kunder æøå"), (b"A&-B", "A&B"), (b"&U,BTFw-", "台北"),
     (b"\xc3\xa6", "æ"), (b"&AOY", "&AOY"), (b"&A-", "&A-")],
)  # fmt: skip
def test_names_of_folders_are_read_in_modified_utf_7(raw: bytes, name: str) -> None:
    assert decode_name(raw) == name


def test_no_string_of_a_command_ends_its_line() -> None:
    assert quoted(b'a"\\b') == b'"a\\"\\\\b"'
    with pytest.raises(ValueError, match="line break"):
        quoted(b"a\r\nB1 DELETE INBOX")


@given(st.sets(st.integers(1, 2000), min_size=1))
def test_sets_of_numbers_are_written_and_read_alike(numbers: set[int]) -> None:
    written = write_set(numbers)
    assert expand(read_ranges(written)) == sorted(numbers)
    assert within(sorted(numbers), read_ranges(b"500:4294967295")) == {number for number in numbers if number >= 500}


@pytest.mark.parametrize("text", [b"", b"1:", b"x", b"1,,2", b"4294967296", b"1:99999999999"])
def test_what_is_no_set_of_numbers_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="message number"):
        read_ranges(text)


def test_values_of_a_response() -> None:
    chunks = [b'1 (UID 5 BODY[HEADER.FIELDS (DATE "X")]<0> ', Literal(b"a)\n("), rb' NIL "q\"\\" ())']
    assert read_values(chunks) == [
        b"1",
        [b"UID", b"5", b'BODY[HEADER.FIELDS (DATE "X")]<0>', b"a)\n(", None, b'q"\\', []],
    ]


@given(st.binary(max_size=60))
def test_a_response_of_any_bytes_is_read_or_refused(octets: bytes) -> None:
    with contextlib.suppress(ValueError):
        read_values([octets])


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("=?utf-8?q?Bl=C3=A5b=C3=A6r?=", "Blåbær"),
        ("=?UTF-8?B?w6Y=?= =?UTF-8?B?w7g=?=", "æø"),
        ("=?utf-8?B?w?= =?utf-8?B?6Y=?=", "=?utf-8?B?w?==?utf-8?B?6Y=?="),
        ("Re: =?iso-8859-1?Q?p=E5?= tur", "Re: på tur"),
        ("=?gb2312?B?xOO6ww==?=", "你好"),
        ("=?klingon?Q?p=C3=A5?=", "på"),
        ("=?utf-8*en?Q?a_b?=", "a b"),
    ],
)
def test_encoded_words(text: str, read: str) -> None:
    assert read_words(text) == read


@pytest.mark.parametrize(
    ("text", "shown", "address"),
    [
        ("Ola <OLA@x.example>", "Ola <OLA@x.example>", "ola@x.example"),
        ('=?utf-8?q?N=2C_P=C3=A5l?= <p@x.example>, b@x.example', "N, Pål <p@x.example>, b@x.example", "p@x.example"),
        ("undisclosed-recipients:;", "undisclosed-recipients:;", ""),
        ("", "", ""),
        ("(" * 5000 + "a@b.example", "(" * 4000, "a@b.example"),
    ],
)  # fmt: skip
def test_addresses(text: str, shown: str, address: str) -> None:
    assert read_addresses(text) == (shown, address)


def test_addresses_that_do_not_fit_are_cut_between_two() -> None:
    shown, _ = read_addresses(", ".join(f"person{number}@x.example" for number in range(1000)))
    assert len(shown) <= 4000
    assert shown.endswith("@x.example, …")


@pytest.mark.parametrize("text", ["", "now", "32 Jan 2026 10:00", "1 Jan 99999 1:1"])
def test_dates_that_are_none(text: str) -> None:
    assert read_date(text) is None


@given(st.binary(max_size=400))
def test_a_header_of_any_bytes_is_read(octets: bytes) -> None:
    found = read_headers(octets)
    assert "\0" not in found.subject


def test_the_first_of_two_like_header_fields_counts_and_references_stand_in() -> None:
    found = read_headers(b"Subject: one\r\nSubject: two\r\nReferences: <a@x>\r\n <b@x>\r\nImportance: High\r\n")
    assert (found.subject, found.in_reply_to, found.priority) == ("one", "<b@x>", 2)


@pytest.mark.parametrize(
    ("octets", "charset", "text"),
    [
        (b"\xe6", "iso-8859-1", "æ"),
        (b"\x80", "iso-8859-1", "€"),
        ("æ".encode(), "", "æ"),
        ("æ".encode()[:1] + b"!", "utf-8", "\ufffd!"),
        ("aæ".encode()[:2], "utf-8", "a"),
        (b"\xe6", "no-such-set", "æ"),
        (b"abc", "hex", "abc"),
        (b"abc", "undefined", "abc"),
    ],
)
def test_character_sets(octets: bytes, charset: str, text: str) -> None:
    assert decode(octets, charset) == text


@given(st.binary(max_size=80), st.sampled_from(["base64", "quoted-printable", "8BIT", "x-uuencode", ""]))
def test_any_end_may_be_missing(octets: bytes, encoding: str) -> None:
    assert isinstance(unpack(octets, encoding), bytes)


def test_half_a_text_is_unpacked_up_to_its_end() -> None:
    assert unpack(b"Zm9v\r\nYmF", "BASE64") == b"fooba"
    assert unpack(b"a=C3=A6b=C", "quoted-printable") == b"a\xc3\xa6b"


def test_what_a_column_cannot_hold_is_left_out() -> None:
    assert clean("a\0b\ud800") == "ab?"
    assert cut("æ" * 300, 255) == "æ" * 255


@given(st.text(max_size=200))
def test_html_of_any_kind_is_read(html: str) -> None:
    assert isinstance(html_to_text(html), str)


def test_html_is_read_as_it_looks() -> None:
    html = "<head><title>t</title></head><body><p>Hello&nbsp;<b>you</b>\n there</p><ul><li>one<li>two</ul></body>"
    assert html_to_text(html) == "Hello you there\n\none\n\ntwo"
    assert html_to_text("<div>" * 3000 + "deep") in {"", "deep"}


def structure(text: bytes) -> object:
    return read_parts(read_values([text])[0])


def test_the_parts_of_a_letter_with_a_picture_and_a_file() -> None:
    parts = read_parts(read_values([
        b'((("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 5 1 NIL NIL NIL)'
        b'("TEXT" "HTML" NIL NIL NIL "7BIT" 9 1) "ALTERNATIVE")'
        b'("IMAGE" "PNG" ("NAME" "a.png") "<c1>" NIL "BASE64" 780 NIL ("INLINE" NIL))'
        b'("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 50 ("d" NIL NIL NIL NIL NIL NIL NIL NIL NIL) '
        b'("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1) 3)'
        b'("APPLICATION" "PDF" ("NAME" "=?utf-8?q?=C3=A5.pdf?=") NIL NIL "BASE64" 78 NIL ("ATTACHMENT" NIL)) "MIXED")'
    ])[0])  # fmt: skip
    assert [(part.section, part.type) for part in parts] == [
        ("1.1", "text/plain"), ("1.2", "text/html"), ("2", "image/png"), ("3", "message/rfc822"),
        ("4", "application/pdf"),
    ]  # fmt: skip
    assert [part.is_body for part in parts] == [True, True, False, False, False]
    assert [part.is_attachment for part in parts] == [False, False, False, True, True]
    assert (parts[3 + 1].filename, parts[4].bytes, parts[0].charset) == ("å.pdf", 57, "utf-8")


@pytest.mark.parametrize("text", [b"NIL", b"()", b"x"])
def test_what_is_no_structure_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="BODYSTRUCTURE"):
        structure(text)


@pytest.mark.parametrize(
    "text", [b'("TEXT")', b"(NIL NIL NIL)", b'((("A" "B")) "X")', b'("TEXT" "PLAIN" ("a"))', b"((NIL))"]
)
def test_half_a_structure_is_read_as_far_as_it_goes(text: bytes) -> None:
    assert isinstance(structure(text), list)

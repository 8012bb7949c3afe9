from __future__ import annotations

import pytest

from worker.tasks.mail_merge.by_email.mail_addresses import read_address
from worker.tasks.mail_merge.by_email.placeholders import in_html, in_subject, in_text
from worker.tasks.mail_merge.by_email.plain_text import to_plain_text
from worker.tasks.mail_merge.variables import KnownNames
from worker.tasks.mail_merge.variables_in_text import Rules

RULES = Rules(known=KnownNames(), unknown="keep")
EVIL = "<script>alert(1)</script> \"&' Ωμέγα"


def test_a_value_is_text_in_html_and_never_markup() -> None:
    filled = in_html("<p title='{name}'>{name}</p>", RULES).fill({"name": EVIL})
    shown = "&lt;script&gt;alert(1)&lt;/script&gt; &quot;&amp;&#x27; Ωμέγα"
    assert filled == f"<p title='{shown}'>{shown}</p>"


def test_line_breaks_in_a_value_stay_line_breaks() -> None:
    assert (
        in_html("<p>{addr}</p>", RULES).fill({"addr": "Storgata 1\r\n0150 Oslo"}) == "<p>Storgata 1<br>0150 Oslo</p>"
    )


@pytest.mark.parametrize(
    ("html", "value", "expected"),
    [
        ('<a href="https://x.example/?n={name}&k=1">', "A&B c", '<a href="https://x.example/?n=A%26B%20c&k=1">'),
        ('<a href="mailto:{name}">', "a@b.example", '<a href="mailto:a@b.example">'),
        ('<a href="{name}">', "www.firm.example", '<a href="https://www.firm.example">'),
        ('<a href="{name}">', "http://firm.example/a?b=1&c=2", '<a href="http://firm.example/a?b=1&amp;c=2">'),
        ("<a href='{name}'>", "javascript:alert(1)", "<a href='https://javascript:alert(1)'>"),
        ("<img src='{name}'>", "data:text/html,x", "<img src='https://data:text/html,x'>"),
    ],
)
def test_a_value_in_a_link_is_a_part_of_it(html: str, value: str, expected: str) -> None:
    assert in_html(html, RULES).fill({"name": value}) == expected


def test_braces_of_style_sheets_are_left_alone() -> None:
    html = "<style>@media print {body {name}}</style><p>{name}</p>"
    assert in_html(html, RULES).fill({"name": "x"}) == "<style>@media print {body {name}}</style><p>x</p>"


@pytest.mark.parametrize("value", ["A\r\nBcc: all@example.test", "A\nBcc: b", "A\x00\u2028B", "A\x85B"])
def test_a_value_cannot_add_a_header(value: str) -> None:
    filled = in_subject("News for {name}", RULES).fill({"name": value})
    assert filled.startswith("News for A ")
    assert len(filled.splitlines()) == 1


def test_lines_of_which_only_empty_variables_are_left_are_left_out() -> None:
    text = "Dear {attn},\n\n{dept}\n{pad2} {pad3}\nBye {atfn}\n"
    values = {"attn": "", "dept": "", "pad2": "", "pad3": "", "atfn": ""}
    assert in_text(text, RULES, drop_blank_lines=True).fill(values) == "Dear ,\n\nBye \n"
    assert in_text(text, RULES, drop_blank_lines=False).fill(values) == "Dear ,\n\n\n \nBye \n"


def test_unknown_variables_are_named_kept_or_left_out() -> None:
    assert in_text("{nmae} {name}", RULES, drop_blank_lines=True).unknown == {"{nmae}"}
    assert in_text("{nmae} {name}", RULES, drop_blank_lines=True).fill({"name": "x"}) == "{nmae} x"
    blank = Rules(known=KnownNames(), unknown="blank")
    assert in_text("{nmae} {name}", blank, drop_blank_lines=True).fill({"name": "x"}) == " x"


def test_capital_letters_count_if_the_crm_says_so() -> None:
    rules = Rules(known=KnownNames(), case_sensitive=True)
    assert in_text("{NAME} {Name}", rules, drop_blank_lines=True).fill({"name": "ålesund"}) == "ÅLESUND Ålesund"


def test_html_becomes_readable_text() -> None:
    html = """<html><head><title>t</title><style>p {color: red}</style></head><body>
    <h1>Spring&nbsp;news</h1><p>Dear   {attn},<br>see <a href="https://x.example/?i={atid}">our list</a>:</p>
    <ul><li>one</li><li>two &amp; three</li></ul><table><tr><td>a</td><td>b</td></tr></table>
    <p><a href="mailto:a@b.example">a@b.example</a> <img src="x.png" alt="Logo"></p></body></html>"""
    assert to_plain_text(html) == (
        "Spring\xa0news\n\nDear {attn},\nsee our list (https://x.example/?i={atid}):\n\n- one\n- two & three\n\n"
        "a b\n\na@b.example Logo\n"
    )


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("ole@example.test", "ole@example.test"),
        (" Ole.O'Neil+x@Example.TEST ", "Ole.O'Neil+x@example.test"),
        ("kari@bjørk.example", "kari@xn--bjrk-hra.example"),
        ("a@faß.example", "a@xn--fa-hia.example"),
        ("用户@例子.example", "用户@xn--fsqu00a.example"),
    ],
)
def test_addresses_are_written_as_servers_take_them(text: str, wire: str) -> None:
    assert str(read_address(text)) == wire


@pytest.mark.parametrize(
    "text",
    ["", "ole", "ole@", "@example.test", "a b@example.test", "a@b@example.test", "ole@hotmail", "ole@exa mple.test",
     "a..b@example.test", "ole@example,test", "Ole <ole@example.test>", "a@b.example\nBcc: c@d.example",
     "a@-b.example", "x" * 65 + "@example.test", "a,b@example.test", "ole@.example", "a@b..example"],
)  # fmt: skip
def test_what_is_no_address_is_not_written_to(text: str) -> None:
    assert read_address(text) is None

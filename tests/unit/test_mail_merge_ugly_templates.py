"""Templates as Word leaves them behind after years of editing, and templates that something has broken."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from lxml import etree

from batchtask.definitions import TaskFailure
from tests.mail_merge_support import R, W, field_runs, merge, paragraph, write_template

A_AND_B = [{"name": "A", "attn": "Ola", "numb": "5"}, {"name": "B", "attn": "", "numb": "7"}]
SECTION = '<w:sectPr><w:headerReference w:type="default" r:id="rIdheader1"/></w:sectPr>'
_CHARACTER = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'


def run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def code(text: str) -> str:
    return f"<w:r><w:instrText>{text}</w:instrText></w:r>"


def field(*instruction: str, shown: str = "«x»") -> str:
    """A complex field whose instruction is made of runs."""
    begin, separate, end = (_CHARACTER.format(kind) for kind in ("begin", "separate", "end"))
    return f"{begin}{''.join(instruction)}{separate}{run(shown) if shown else ''}{end}"


def change(template: Path, parts: Mapping[str, str | None]) -> Path:
    """Replace parts of a template; None takes one out."""
    with zipfile.ZipFile(template) as archive:
        found: dict[str, str | bytes | None] = {name: archive.read(name) for name in archive.namelist()}
    found |= parts
    with zipfile.ZipFile(template, "w") as archive:
        for name, data in found.items():
            if data is not None:
                archive.writestr(name, data)
    return template


@pytest.mark.parametrize(
    "content",
    [
        f'{run("{na")}<w:proofErr w:type="spellStart"/>{run("me}")}<w:proofErr w:type="spellEnd"/>',
        f'{run("{na")}<w:bookmarkStart w:id="0" w:name="_GoBack"/><w:bookmarkEnd w:id="0"/>{run("me}")}',
        f'{run("{")}<w:smartTag w:uri="x" w:element="y"><w:smartTagPr/>{run("name")}</w:smartTag>{run("}")}',
        f'{run("{na")}<w:del w:id="1"><w:r><w:delText>x</w:delText></w:r></w:del><w:ins>{run("me}")}</w:ins>',
        f'{run("{na")}<w:hyperlink w:anchor="x">{run("me}")}</w:hyperlink>',
        f'<w:sdt><w:sdtPr><w:id w:val="5"/></w:sdtPr><w:sdtContent>{run("{name}")}</w:sdtContent></w:sdt>',
        f"{run('{na<!-- typed -->me')}{run('}')}",
    ],
)
def test_a_variable_is_found_whatever_word_has_put_into_it(tmp_path: Path, content: str) -> None:
    merged = merge(write_template(tmp_path, f"<w:p>{content}</w:p>"), A_AND_B)
    assert merged.paragraphs == ["A", "B"]


@pytest.mark.parametrize(
    "line",
    [
        f'<w:bookmarkStart w:id="0" w:name="addr"/>{run("{attn}")}<w:bookmarkEnd w:id="0"/>',
        f'{run("{attn}")}<w:bookmarkStart w:id="0" w:name="_GoBack"/><w:bookmarkEnd w:id="0"/>',
        f'<w:smartTag w:uri="x" w:element="y">{run("{attn}")}</w:smartTag>',
        f'<w:ins w:id="1">{run("{attn}")}</w:ins>',
    ],
)
def test_an_empty_line_is_left_out_whatever_word_has_put_around_it(tmp_path: Path, line: str) -> None:
    merged = merge(write_template(tmp_path, f"{paragraph('x')}<w:p>{line}</w:p>{paragraph('y')}"), A_AND_B)
    assert merged.paragraphs == ["x", "Ola", "y", "x", "y"]


def test_a_content_control_is_not_tied_to_a_property_any_more(tmp_path: Path) -> None:
    control = (
        '<w:sdt><w:sdtPr><w:dataBinding w:xpath="/title" w:storeItemID="{x}"/>'
        '<w15:dataBinding xmlns:w15="http://schemas.microsoft.com/office/word/2012/wordml" w15:xpath="/title"/>'
        f"</w:sdtPr><w:sdtContent>{paragraph('{name}')}</w:sdtContent></w:sdt>"
    )
    merged = merge(write_template(tmp_path, control + paragraph("x")), A_AND_B)
    assert merged.paragraphs == ["A", "x", "B", "x"]
    assert b"dataBinding" not in merged.parts["word/document.xml"]


def test_rows_and_paragraph_ends_that_were_deleted_are_gone(tmp_path: Path) -> None:
    row = "<w:tr><w:trPr>{}</w:trPr><w:tc>{}</w:tc></w:tr>"
    rows = row.format('<w:del w:id="1"/>', paragraph("old")), row.format("", paragraph("{name}"))
    table = f"<w:tbl>{''.join(rows)}</w:tbl>"
    joined = f'<w:p><w:pPr><w:rPr><w:del w:id="2"/></w:rPr></w:pPr>{run("To ")}</w:p>{paragraph("{name}")}'
    assert merge(write_template(tmp_path, table + joined), A_AND_B).paragraphs == ["A", "To A", "B", "To B"]


def test_properties_of_a_section_that_only_newer_releases_of_word_know_stay(tmp_path: Path) -> None:
    columns = '<w15:footnoteColumns xmlns:w15="http://schemas.microsoft.com/office/word/2012/wordml" w15:val="2"/>'
    section = f'<w:sectPr><w:pgSz w:w="1"/>{columns}</w:sectPr>'
    merged = merge(write_template(tmp_path, paragraph("{name}"), section=section), A_AND_B)
    names = [etree.QName(child).localname for child in merged.sections[0]]
    assert names == ["type", "pgSz", "pgNumType", "footnoteColumns"]


def test_an_if_within_an_if_is_asked_for_every_recipient(tmp_path: Path) -> None:
    inner = field(code("IF "), field_runs("MERGEFIELD attn"), code(' = "" "Sirs" "{attn}"'))
    outer = field(
        code("IF "), field_runs("MERGEFIELD numb"), code(' > 6 "'), inner, code('" "Dear '), inner, code('"')
    )
    recipients = [{"numb": "5", "attn": "Ola"}, {"numb": "7", "attn": "Kari"}, {"numb": "7", "attn": ""}]
    merged = merge(write_template(tmp_path, f"<w:p>{outer}</w:p>"), recipients)
    assert merged.paragraphs == ["Dear Ola", "Kari", "Sirs"]


def test_a_variable_that_word_has_cut_within_an_if_is_found(tmp_path: Path) -> None:
    found = field(code('IF "{at'), code('tn}" = "" "Si'), code('rs" "{attn}"'))
    assert merge(write_template(tmp_path, f"<w:p>{found}</w:p>"), A_AND_B).paragraphs == ["Ola", "Sirs"]


def test_an_if_that_asks_nothing_of_the_recipient_is_left_to_word(tmp_path: Path) -> None:
    page = field(code("IF "), field(code(" PAGE "), shown="1"), code(' = 1 "first" "next"'), shown="first")
    merged = merge(write_template(tmp_path, f"<w:p>{page}{run('{name}')}</w:p>"), A_AND_B)
    assert merged.paragraphs == ["1firstA", "1firstB"]
    assert len(list(merged.document.iter(f"{{{W}}}fldChar"))) == 2 * 6


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        (
            field(code('IF "{name}" = "A" "'), field(code(" PAGE ")), code('" ""')),
            "the Word field IF that asks both for a variable and for PAGE",
        ),
        (field(code("SKIPIF "), field(code(" PAGE ")), code(" = 1")), "SKIPIF that asks both"),
        (field(code(' QUOTE "{name}" ')), "the Word field QUOTE with a variable in its instruction"),
        (field(code(" = "), field_runs("MERGEFIELD numb"), code(" * 2")), "the Word field = with a variable"),
        (field(code('IF "{NAME}" = "A" "b" "c"')), "uses «NAME»"),
    ],
)
def test_what_only_word_could_work_out_for_a_recipient_is_refused(tmp_path: Path, runs: str, sentence: str) -> None:
    with pytest.raises(TaskFailure, match=sentence):
        merge(write_template(tmp_path, f"<w:p>{runs}</w:p>"), A_AND_B)


def test_a_link_whose_address_is_a_variable_is_printed_without_the_link(tmp_path: Path) -> None:
    shown = field(code(' HYPERLINK "mailto:{attn}" '), shown="{name}")
    inner = field(code(' HYPERLINK "http://x/'), field_runs("MERGEFIELD attn"), code('" '), shown="{name}")
    linked = f'<w:hyperlink r:id="rIdlink">{run("{name}")}</w:hyperlink>'
    template = write_template(tmp_path, f"<w:p>{shown}</w:p><w:p>{inner}</w:p><w:p>{linked}</w:p>")
    address = 'Target="mailto:%7Battn%7D" TargetMode="External"'
    links = f'<Relationships><Relationship Id="rIdlink" Type="{R}/hyperlink" {address}/></Relationships>'
    merged = merge(change(template, {"word/_rels/document.xml.rels": links}), A_AND_B)
    assert merged.paragraphs == ["A", "A", "A", "B", "B", "B"]
    assert not list(merged.document.iter(f"{{{W}}}hyperlink", f"{{{W}}}fldChar", f"{{{W}}}instrText"))


def test_a_link_that_leads_everybody_to_the_same_place_stays(tmp_path: Path) -> None:
    link = field(code(' HYPERLINK "http://example.test" '), shown="{name}")
    merged = merge(write_template(tmp_path, f"<w:p>{link}</w:p>"), A_AND_B)
    assert merged.paragraphs == ["A", "B"]
    assert len(list(merged.document.iter(f"{{{W}}}instrText"))) == 2


def test_a_variable_in_a_diagram_is_refused(tmp_path: Path) -> None:
    drawn = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    words = f"<x {drawn}><a:p><a:r><a:t>{{na</a:t></a:r><a:r><a:t>me}}</a:t></a:r></a:p></x>"
    template = change(write_template(tmp_path, paragraph("x")), {"word/diagrams/data1.xml": words})
    with pytest.raises(TaskFailure, match=r"\{name\} in a chart or a diagram"):
        merge(template, A_AND_B)


def broken(tmp_path: Path, parts: Mapping[str, str | None]) -> Path:
    template = write_template(
        tmp_path,
        paragraph("{name}"),
        section=SECTION,
        header1=paragraph("{attn}"),
        numbering="<w:abstractNum/>",
        styles="<w:style/>",
        settings="<w:zoom/>",
    )
    return change(template, parts)


@pytest.mark.parametrize(
    "parts",
    [
        {"word/header1.xml": None},
        {"word/header1.xml": ""},
        {"word/numbering.xml": "<w:numbering"},
        {"word/styles.xml": "\0"},
        {"word/settings.xml": "<"},
        {"word/_rels/document.xml.rels": None},
        {"word/_rels/document.xml.rels": "<Relationships"},
        {"word/_rels/document.xml.rels": "<Relationships/>"},
        {"word/document.xml": "<workbook/>"},
    ],
    ids=str,
)
def test_a_part_that_is_missing_or_damaged_is_told_in_a_sentence(
    tmp_path: Path, parts: Mapping[str, str | None]
) -> None:
    with pytest.raises(TaskFailure, match="is damaged, or of another program: open it in Word"):
        merge(broken(tmp_path, parts), A_AND_B)


@pytest.mark.parametrize(
    "entity", ['<!ENTITY e "{name}">', '<!ENTITY e SYSTEM "file:///etc/hostname">', '<!ENTITY % e SYSTEM "x"> %e;']
)
def test_a_template_that_declares_entities_is_refused(tmp_path: Path, entity: str) -> None:
    document = f'<!DOCTYPE x [{entity}]><w:document xmlns:w="{W}"><w:body>{paragraph("&e;")}</w:body></w:document>'
    template = change(write_template(tmp_path, paragraph("x")), {"word/document.xml": document})
    with pytest.raises(TaskFailure, match="is damaged"):
        merge(template, A_AND_B)


def test_an_instruction_that_looks_like_one_of_ours_is_not_obeyed(tmp_path: Path) -> None:
    merged = merge(write_template(tmp_path, paragraph("Dear <?batchtask slot 99?>{name}")), A_AND_B)
    assert merged.paragraphs == ["Dear A", "Dear B"]


def test_a_number_that_is_none_stops_nothing(tmp_path: Path) -> None:
    numbered = '<w:p><w:pPr><w:numPr><w:numId w:val="x"/></w:numPr></w:pPr></w:p>'
    numbering = '<w:num w:numId="z"><w:abstractNumId w:val="y"/></w:num>'
    merged = merge(write_template(tmp_path, numbered + paragraph("{name}"), numbering=numbering), A_AND_B)
    assert merged.paragraphs == ["", "A", "", "B"]

from __future__ import annotations

import itertools
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from batchtask.definitions import TaskFailure
from tests.mail_merge_support import PACKAGE, W, field_runs, merge, paragraph, text_of, write_template
from worker.tasks.mail_merge.template import Layout, compile_template
from worker.tasks.mail_merge.variables_in_text import Rules

IN_ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)


def values(element_name: str, attribute: str, root: etree._Element) -> list[str]:
    return [found.get(f"{{{W}}}{attribute}", "") for found in root.iter(f"{{{W}}}{element_name}")]


def test_each_recipient_gets_a_letter(tmp_path: Path) -> None:
    template = write_template(tmp_path, paragraph("Dear {attn},") + paragraph("end"))
    merged = merge(template, [{"attn": "Kari"}, {"attn": "Ola"}])
    assert merged.paragraphs == ["Dear Kari,", "end", "Dear Ola,", "end"]


def test_letters_start_on_a_new_page_and_count_pages_from_one(tmp_path: Path) -> None:
    section = '<w:sectPr><w:type w:val="continuous"/><w:pgSz w:w="1"/></w:sectPr>'
    merged = merge(write_template(tmp_path, paragraph("x"), section=section), [{}, {}, {}])
    assert values("type", "val", merged.document) == ["nextPage"] * 3
    assert values("pgNumType", "start", merged.document) == ["1"] * 3
    assert [child.tag.rpartition("}")[2] for child in merged.sections[0]] == ["type", "pgSz", "pgNumType"]


def test_the_last_section_closes_the_body_and_the_others_stand_in_paragraphs(tmp_path: Path) -> None:
    merged = merge(write_template(tmp_path, paragraph("x")), [{}, {}])
    parents = [section.getparent().tag.rpartition("}")[2] for section in merged.sections]
    assert parents == ["pPr", "body"]


def test_a_table_at_the_end_is_followed_by_a_paragraph_that_carries_the_section(tmp_path: Path) -> None:
    table = f"<w:tbl><w:tr><w:tc>{paragraph('{name}')}</w:tc></w:tr></w:tbl>"
    merged = merge(write_template(tmp_path, table), [{"name": "A"}, {"name": "B"}])
    assert merged.paragraphs == ["A", "", "B", ""]


def test_a_file_can_be_told_to_start_letters_on_a_new_sheet(tmp_path: Path) -> None:
    merged = merge(write_template(tmp_path, paragraph("x")), [{}, {}], layout=Layout(on_odd_page=True))
    assert values("type", "val", merged.document) == ["oddPage", "oddPage"]


@given(cuts=st.lists(st.integers(0, 17), max_size=6))
@IN_ONE_FOLDER
def test_a_variable_cut_anywhere_into_runs_is_found(tmp_path: Path, cuts: list[int]) -> None:
    text = "Dear {attn} there"
    edges = [0, *sorted(cuts), len(text)]
    runs = [text[start:end] for start, end in itertools.pairwise(edges)]
    merged = merge(write_template(tmp_path, paragraph(*runs)), [{"attn": "Kari"}])
    assert merged.paragraphs == ["Dear Kari there"]


@given(value=st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufffe\uffff")))
@IN_ONE_FOLDER
def test_any_value_comes_out_as_it_went_in(tmp_path: Path, value: str) -> None:
    merged = merge(write_template(tmp_path, paragraph("<{name}>".replace("<", "&lt;"))), [{"name": value}])
    assert merged.paragraphs == [f"<{value}>"]


def test_line_breaks_and_tabs_of_a_value_are_kept(tmp_path: Path) -> None:
    merged = merge(write_template(tmp_path, paragraph("{name}")), [{"name": "one\r\ntwo\tthree\x00"}])
    assert merged.paragraphs == ["one\ntwo\tthree"]


def test_a_value_that_looks_like_a_variable_is_not_filled_in_again(tmp_path: Path) -> None:
    merged = merge(write_template(tmp_path, paragraph("{name}")), [{"name": "{attn}", "attn": "Kari"}])
    assert merged.paragraphs == ["{attn}"]


def test_a_right_to_left_value_gets_a_run_that_says_so(tmp_path: Path) -> None:
    merged = merge(write_template(tmp_path, paragraph("to {name} now")), [{"name": "حداد"}, {"name": "Haddad"}])
    marked = [run.getparent().getparent() for run in merged.document.iter(f"{{{W}}}rtl")]
    assert ["".join(run.itertext()) for run in marked] == ["حداد"]


def test_variables_in_a_text_box_are_filled_in(tmp_path: Path) -> None:
    box = f"<w:p><w:r><w:pict><w:txbxContent>{paragraph('{name}')}</w:txbxContent></w:pict></w:r></w:p>"
    merged = merge(write_template(tmp_path, box), [{"name": "A"}, {"name": "B"}])
    assert merged.paragraphs == ["A", "A", "B", "B"]


def test_a_paragraph_of_empty_variables_is_left_out(tmp_path: Path) -> None:
    body = paragraph("{name}") + paragraph("{dept} {pad2}") + paragraph("end")
    merged = merge(write_template(tmp_path, body), [{"name": "A"}, {"name": "B", "pad2": "x"}])
    assert merged.paragraphs == ["A", "end", "B", " x", "end"]


def test_a_line_of_empty_variables_takes_its_break_with_it(tmp_path: Path) -> None:
    line_break = "<w:r><w:br/></w:r>"
    runs = [f"<w:r><w:t>{{{name}}}</w:t></w:r>" for name in ("name", "dept", "pad2", "attn")]
    merged = merge(
        write_template(tmp_path, f"<w:p>{line_break.join(runs)}</w:p>" + paragraph("end")),
        [{"name": "A", "attn": "C"}, {"attn": "C"}, {"name": "A", "dept": "B"}, {}],
    )
    assert merged.paragraphs == ["A\nC", "end", "C", "end", "A\nB", "end", "end"]


def test_blank_lines_can_be_kept(tmp_path: Path) -> None:
    body = paragraph("{name}") + paragraph("{dept}") + paragraph("end")
    merged = merge(write_template(tmp_path, body), [{"name": "A"}], layout=Layout(drop_blank_lines=False))
    assert merged.paragraphs == ["A", "", "end"]


def test_a_cell_keeps_its_paragraph(tmp_path: Path) -> None:
    table = f"<w:tbl><w:tr><w:tc>{paragraph('{name}')}</w:tc></w:tr></w:tbl>"
    merged = merge(write_template(tmp_path, table + paragraph("end")), [{}])
    assert merged.paragraphs == ["", "end"]


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("MERGEFIELD name", "anna øst"),
        ("MERGEFIELD  NAME  \\* MERGEFORMAT", "anna øst"),
        ('MERGEFIELD "name" \\* Upper', "ANNA ØST"),
        ("MERGEFIELD name \\* Caps", "Anna Øst"),
        ("MERGEFIELD name \\* FirstCap", "Anna øst"),
        ('MERGEFIELD name \\b "Att. " \\f "!"', "Att. anna øst!"),
        ('MERGEFIELD dept \\b "Dept. "', ""),
        ("MERGEFIELD Company", "anna øst"),
    ],
)
def test_a_merge_field_is_filled_in_with_its_switches(tmp_path: Path, instruction: str, expected: str) -> None:
    simple = f"<w:fldSimple w:instr='{instruction}'><w:r><w:t>«x»</w:t></w:r></w:fldSimple>"
    body = f"<w:p>{field_runs(instruction)}</w:p><w:p>{simple}</w:p>" + paragraph("end")
    merged = merge(write_template(tmp_path, body), [{"name": "anna øst"}], layout=Layout(drop_blank_lines=False))
    assert merged.paragraphs == [expected, expected, "end"]
    assert not list(merged.document.iter(f"{{{W}}}fldChar", f"{{{W}}}fldSimple"))


def test_a_field_that_is_not_ours_stays(tmp_path: Path) -> None:
    merged = merge(write_template(tmp_path, f"<w:p>{field_runs('DATE', '1 May')}</w:p>"), [{}])
    assert values("fldChar", "fldCharType", merged.document) == ["begin", "separate", "end"]


def nested(*parts: str, shown: str = "x") -> str:
    """A complex field with others in its instruction; a part that is no markup is its own text."""
    character = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    inside = "".join(
        part
        if part.startswith("<w:r>")
        else f"<w:r><w:instrText xml:space='preserve'>{escape(part)}</w:instrText></w:r>"
        for part in parts
    )
    return (
        character.format("begin")
        + inside
        + character.format("separate")
        + f"<w:r><w:t>{shown}</w:t></w:r>"
        + (character.format("end"))
    )


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (' = "Oslo"', True),
        (' <> "Oslo"', False),
        ('="Oslo"', True),
        (' = "oslo"', False),
        (' = "O*o"', True),
        (' = "O?o"', False),
        (" = “Oslo”", True),
        (' > "Bergen"', True),
    ],
)
def test_if_chooses_between_two_texts(tmp_path: Path, condition: str, holds: bool) -> None:
    field = nested(
        "IF ", field_runs("MERGEFIELD name"), f'{condition} "yes, ', field_runs("MERGEFIELD attn"), '" "no"'
    )
    merged = merge(write_template(tmp_path, f"<w:p>{field}</w:p>"), [{"name": "Oslo", "attn": "Kari"}])
    assert merged.paragraphs == ["yes, Kari" if holds else "no"]
    assert not list(merged.document.iter(f"{{{W}}}fldChar"))


@pytest.mark.parametrize(("value", "expected"), [("9", "few"), ("10", "many"), ("1,5", "few"), ("", "few")])
def test_if_compares_numbers_as_numbers(tmp_path: Path, value: str, expected: str) -> None:
    field = nested('IF "{numb}" >= 10 "many" "few" \\* MERGEFORMAT')
    merged = merge(write_template(tmp_path, f"<w:p>{field}</w:p>"), [{"numb": value}])
    assert merged.paragraphs == [expected]


def test_a_paragraph_whose_if_prints_nothing_is_left_out(tmp_path: Path) -> None:
    field = nested("IF ", field_runs("MERGEFIELD name"), ' = "A" "text" ""')
    template = write_template(tmp_path, f"<w:p>{field}</w:p>" + paragraph("end"))
    assert merge(template, [{"name": "A"}, {"name": "B"}]).paragraphs == ["text", "end", "end"]


def test_skipif_leaves_a_recipient_out(tmp_path: Path) -> None:
    field = nested("SKIPIF ", field_runs("MERGEFIELD numb"), ' = "7"')
    template = write_template(tmp_path, f"<w:p>{field}</w:p>" + paragraph("{name}"))
    compiled = compile_template(template, Rules(known={"name", "numb"}), Layout())
    assert [compiled.skips({"numb": number, "name": "A"}) for number in ("7", "8")] == [True, False]
    assert merge(template, [{"name": "A"}]).paragraphs == ["", "A"]


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        (nested("IF ", field_runs("MERGEFIELD name")), "IF in a form that is not understood"),
        (
            '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> IF "a" </w:instrText></w:r>',
            "one paragraph",
        ),
        (field_runs("NEXT"), "print labels instead"),
        (nested("NEXTIF ", field_runs("MERGEFIELD name"), ' = "a"'), "print labels instead"),
        (field_runs('GREETINGLINE \\f "x"'), r"write \{salu\} instead"),
        (nested("IF ", field_runs("MERGEFIELD nmae"), ' = "a" "b" "c"'), "«nmae»"),
    ],
)
def test_a_field_that_cannot_be_done_is_refused_and_says_what_to_do(tmp_path: Path, runs: str, sentence: str) -> None:
    with pytest.raises(TaskFailure, match=sentence):
        merge(write_template(tmp_path, f"<w:p>{runs}</w:p>"), [{}])


def test_all_unknown_variables_are_named_at_once(tmp_path: Path) -> None:
    template = write_template(tmp_path, paragraph("{nmae} {NAME} {name}"), header1=paragraph("{attm}"))
    with pytest.raises(TaskFailure, match=r"uses \{NAME\}, \{attm\} and \{nmae\}"):
        merge(template, [{}])


@pytest.mark.parametrize(("unknown", "expected"), [("keep", "a {nmae} b"), ("blank", "a  b")])
def test_an_unknown_variable_can_be_kept_or_blanked(tmp_path: Path, unknown: str, expected: str) -> None:
    merged = merge(write_template(tmp_path, paragraph("a {nm", "ae} b")), [{}], unknown=unknown)
    assert merged.paragraphs == [expected]


@pytest.mark.parametrize("text", ["{see below}", "{1}", "{}", "{ab}", "}{", "{name"])
def test_other_braces_are_the_authors_own(tmp_path: Path, text: str) -> None:
    assert merge(write_template(tmp_path, paragraph(text)), [{}]).paragraphs == [text]


@pytest.mark.parametrize(("variable", "expected"), [("{NAME}", "ANNA"), ("{Name}", "Anna"), ("{name}", "anna")])
def test_letter_case_of_a_variable_is_that_of_its_value_when_so_wished(
    tmp_path: Path, variable: str, expected: str
) -> None:
    merged = merge(write_template(tmp_path, paragraph(variable)), [{"name": "anna"}], case_sensitive=True)
    assert merged.paragraphs == [expected]


def test_each_letter_has_its_own_header_where_values_differ(tmp_path: Path) -> None:
    section = '<w:sectPr><w:headerReference w:type="default" r:id="rIdheader1"/></w:sectPr>'
    template = write_template(tmp_path, paragraph("x"), section=section, header1=paragraph("to {name}"))
    merged = merge(template, [{"name": "A"}, {"name": "B"}, {"name": "A"}])
    assert merged.headers() == ["to A", "to B", "to A"]
    assert sum(name.startswith("word/header1_letter") for name in merged.parts) == 2


def test_a_header_without_variables_is_shared(tmp_path: Path) -> None:
    section = '<w:sectPr><w:headerReference w:type="default" r:id="rIdheader1"/></w:sectPr>'
    template = write_template(tmp_path, paragraph("x"), section=section, header1=paragraph("same"))
    merged = merge(template, [{}, {}])
    assert merged.headers() == ["same", "same"]
    assert "word/header1_letter1.xml" not in merged.parts


def test_a_letter_does_not_inherit_the_last_header_of_the_letter_before(tmp_path: Path) -> None:
    first = "<w:p><w:pPr><w:sectPr/></w:pPr></w:p>"
    last = '<w:sectPr><w:headerReference w:type="default" r:id="rIdheader1"/></w:sectPr>'
    template = write_template(tmp_path, first + paragraph("x"), section=last, header1=paragraph("end"))
    assert merge(template, [{}, {}]).headers() == ["", "end", "", "end"]


def test_the_number_of_pages_is_that_of_the_letter(tmp_path: Path) -> None:
    section = '<w:sectPr><w:footerReference w:type="default" r:id="rIdfooter1"/></w:sectPr>'
    footer = f"<w:p>{field_runs('NUMPAGES')}</w:p>"
    merged = merge(write_template(tmp_path, paragraph("x"), section=section, footer1=footer), [{}, {}])
    assert b"SECTIONPAGES" in merged.parts["word/footer1.xml"]


def test_numbered_lists_start_again_in_every_letter(tmp_path: Path) -> None:
    numbering = (
        '<w:abstractNum w:abstractNumId="7"><w:lvl w:ilvl="0"><w:start w:val="3"/><w:numFmt w:val="decimal"/></w:lvl>'
        '</w:abstractNum><w:abstractNum w:abstractNumId="8"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/></w:lvl>'
        '</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num>'
        '<w:num w:numId="2"><w:abstractNumId w:val="8"/></w:num>'
    )
    items = "".join(f'<w:p><w:pPr><w:numPr><w:numId w:val="{n}"/></w:numPr></w:pPr></w:p>' for n in (1, 2))
    merged = merge(write_template(tmp_path, items, numbering=numbering), [{}, {}, {}])
    assert values("numId", "val", merged.document) == ["1", "2", "3", "2", "4", "2"]
    lists = etree.fromstring(merged.parts["word/numbering.xml"])
    assert values("num", "numId", lists) == ["1", "2", "3", "4"]
    assert values("startOverride", "val", lists) == ["3", "3"]


def test_a_list_that_comes_from_a_style_starts_again_too(tmp_path: Path) -> None:
    numbering = (
        '<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:numFmt w:val="decimal"/></w:lvl></w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    )
    styles = (
        '<w:style w:styleId="Base"><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
        '<w:style w:styleId="Item"><w:basedOn w:val="Base"/></w:style>'
    )
    body = '<w:p><w:pPr><w:pStyle w:val="Item"/></w:pPr></w:p>'
    merged = merge(write_template(tmp_path, body, numbering=numbering, styles=styles), [{}, {}])
    assert values("numId", "val", merged.document) == ["1", "2"]


def test_bookmarks_differ_between_letters_and_links_follow_them(tmp_path: Path) -> None:
    body = (
        '<w:p><w:bookmarkStart w:id="5" w:name="here"/><w:bookmarkEnd w:id="5"/>'
        '<w:hyperlink w:anchor="here"/>'
        '<w:r><w:instrText xml:space="preserve"> REF here \\h </w:instrText></w:r></w:p>'
    )
    merged = merge(write_template(tmp_path, body), [{}, {}])
    starts = list(merged.document.iter(f"{{{W}}}bookmarkStart"))
    assert len({start.get(f"{{{W}}}id") for start in starts}) == len(starts)
    assert len({start.get(f"{{{W}}}name") for start in starts}) == len(starts)
    assert values("hyperlink", "anchor", merged.document) == ["here", "here_1"]
    assert [code.text for code in merged.document.iter(f"{{{W}}}instrText")] == [" REF here \\h ", " REF here_1 \\h "]


def test_comments_revisions_and_private_marks_are_not_multiplied(tmp_path: Path) -> None:
    body = (
        '<w:p w:rsidR="00AA"><w:commentRangeStart w:id="1"/><w:ins w:id="2"><w:r><w:t>new {name}</w:t></w:r></w:ins>'
        '<w:del w:id="3"><w:r><w:delText>old</w:delText></w:r></w:del><w:commentRangeEnd w:id="1"/>'
        '<w:r><w:commentReference w:id="1"/></w:r></w:p>'
    )
    merged = merge(write_template(tmp_path, body), [{"name": "A"}])
    assert merged.paragraphs == ["new A"]
    for name in ("comment", "rsid", "delText", "w:ins"):
        assert name.encode() not in merged.parts["word/document.xml"]


def test_the_data_source_of_words_own_merge_is_forgotten(tmp_path: Path) -> None:
    template = write_template(tmp_path, paragraph("x"), settings="<w:mailMerge/><w:zoom/>")
    merged = merge(template, [{}])
    assert b"mailMerge" not in merged.parts["word/settings.xml"]


NOTES = (
    '<w:footnote w:type="separator" w:id="-1"><w:p/></w:footnote>'
    '<w:footnote w:id="2"><w:p><w:r><w:footnoteRef/></w:r><w:r><w:t>on {name}</w:t></w:r></w:p></w:footnote>'
    '<w:footnote w:id="7"><w:p><w:r><w:t>of nobody</w:t></w:r></w:p></w:footnote>'
)
REFERENCE = '<w:p><w:r><w:t>{name}</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r></w:p>'


def test_every_letter_brings_its_footnotes_and_counts_them_from_one(tmp_path: Path) -> None:
    template = write_template(tmp_path, REFERENCE, footnotes=NOTES)
    merged = merge(template, [{"name": "A"}, {"name": "B"}])
    notes = etree.fromstring(merged.parts["word/footnotes.xml"])
    texts = {note.get(f"{{{W}}}id"): text_of(note) for note in notes}
    referred = values("footnoteReference", "id", merged.document)
    assert [texts[number] for number in referred] == ["on A", "on B"]
    assert sorted(texts.values()) == ["", "on A", "on B"]
    assert values("numRestart", "val", merged.document) == ["eachSect"] * 4  # foot- and endnotes of two letters


def test_footnotes_in_one_pdf_are_refused(tmp_path: Path) -> None:
    template = write_template(tmp_path, REFERENCE, footnotes=NOTES)
    with pytest.raises(TaskFailure, match=r"footnotes .* use separate_files"):
        merge(template, [{}], layout=Layout(for_libreoffice=True))


def test_a_file_of_its_own_keeps_its_notes_even_as_pdf(tmp_path: Path) -> None:
    template = write_template(tmp_path, REFERENCE, footnotes=NOTES)
    merged = merge(template, [{"name": "A"}], layout=Layout(for_libreoffice=True, alone=True))
    assert values("footnoteReference", "id", merged.document) == ["8"]


def test_a_missing_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaskFailure, match=r"There is no template .*letter\.docx"):
        merge(tmp_path / "letter.docx", [{}])


def test_what_is_no_docx_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.docx"
    path.write_bytes(b"{\\rtf1 hello}")
    with pytest.raises(TaskFailure, match=r"letter\.docx is not a \.docx or is damaged"):
        merge(path, [{}])


def test_a_damaged_template_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types")
    with pytest.raises(TaskFailure, match=r"letter\.docx is damaged"):
        merge(path, [{}])


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("letter.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 as of Word 97, and of an encrypted .docx"),
        ("letter.docx", b""),
        ("letter.docx", b"PK\x03\x04 cut off"),
    ],
)
def test_what_word_97_or_a_cut_upload_left_is_refused(tmp_path: Path, name: str, head: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(head)
    with pytest.raises(TaskFailure, match=r"is not a \.docx or is damaged"):
        merge(path, [{}])


def test_a_template_of_libreoffice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.odt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
    with pytest.raises(TaskFailure, match=r"letter\.odt is damaged"):
        merge(path, [{}])


def test_macros_are_refused(tmp_path: Path) -> None:
    path = write_template(tmp_path, paragraph("x"))
    kind = "application/vnd.ms-word.document.macroEnabled.main+xml"
    override = f'<Override PartName="/word/document.xml" ContentType="{kind}"/>'
    types = f'<Types xmlns="{PACKAGE}/content-types">{override}</Types>'
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()} | {"[Content_Types].xml": types.encode()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    with pytest.raises(TaskFailure, match="holds macros: save it as an ordinary"):
        merge(path, [{}])


def test_a_template_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/media/huge.bin", bytes(257 * 1024 * 1024))
    with pytest.raises(TaskFailure, match="too large"):
        merge(path, [{}])

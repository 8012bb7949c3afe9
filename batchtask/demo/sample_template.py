"""A letter template to merge with the sample CRM, made in code so that no binary file is kept in the source.

It shows what a template may hold: variables in the body, a table, header and footer; a Word merge field; a picture;
a numbered list; a first page that differs from the others.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from math import sin
from pathlib import Path

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_NAMESPACES = (
    f'xmlns:w="{_W}" xmlns:r="{_R}" xmlns:a="{_DRAWING}/main" '
    f'xmlns:wp="{_DRAWING}/wordprocessingDrawing" xmlns:pic="{_DRAWING}/picture"'
)
_INK, _ACCENT, _GREY = "1F2A37", "0B6E75", "6B7280"


def write_sample_template(path: Path) -> None:
    """Write the template as a .docx; an existing file is replaced."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _parts().items():
            archive.writestr(name, content)


def _parts() -> dict[str, str | bytes]:
    return {
        "[Content_Types].xml": _content_types(),
        "_rels/.rels": _relationships({"rId1": ("officeDocument", "word/document.xml")}),
        "word/document.xml": _document(),
        "word/_rels/document.xml.rels": _relationships(
            {
                "rId1": ("styles", "styles.xml"),
                "rId2": ("settings", "settings.xml"),
                "rId3": ("numbering", "numbering.xml"),
                "rId4": ("header", "header1.xml"),
                "rId5": ("header", "header2.xml"),
                "rId6": ("footer", "footer1.xml"),
            }
        ),
        "word/styles.xml": _styles(),
        "word/settings.xml": f'{_HEAD}<w:settings {_NAMESPACES}><w:defaultTabStop w:val="708"/></w:settings>',
        "word/numbering.xml": _numbering(),
        "word/header1.xml": _letterhead(),
        "word/_rels/header1.xml.rels": _relationships({"rId1": ("image", "media/logo.png")}),
        "word/header2.xml": _part("hdr", _paragraph(_run("{onam}", bold=True) + _tab() + _run("{name}"), "Header")),
        "word/footer1.xml": _footer(),
        "word/media/logo.png": _logo(),
    }


def _document() -> str:
    body = [
        *(_paragraph(_run(f"{{fad{line}}}"), "Address") for line in range(1, 8)),
        _paragraph(_run("{ocit}, {date}"), "Date"),
        _paragraph(_run("{head}"), "Heading1"),
        _paragraph(_run("Our reference: {oref}") + _tab() + _run("Your reference: {yref}"), "Reference"),
        _paragraph(_run("Dear {salu},")),
        _paragraph(
            _run("the spring list is out, and ")
            + _merge_field("name")
            + _run(" is among the first to get it. With this letter come three things:")
        ),
        *(_paragraph(_run(item), "ListNumber") for item in _ITEMS),
        _paragraph(_run("This is how you stand in our books. Please tell us if something has changed:"), "AfterList"),
        _table(_DETAILS),
        _paragraph(_run("Orders that reach us before the end of the month are sent free of postage."), "AfterTable"),
        _paragraph(_run("Kind regards")),
        _paragraph(_run("{auth}", bold=True), "Signature"),
        _paragraph(_run("{onam} · {auem}"), "Contact"),
        _section(),
    ]
    return f"{_HEAD}<w:document {_NAMESPACES}><w:body>{''.join(body)}</w:body></w:document>"


_ITEMS = (
    "the catalogue, with 212 new titles;",
    "an order form, filled in with your customer number {numb};",
    "an invitation to our autumn fair.",
)
_DETAILS = (
    ("Customer number", "{numb}"),
    ("Company", "{ndep}"),
    ("Contact", "{attn}"),
    ("Telephone", "{phon}"),
    ("E-mail", "{atem}"),
    ("Customer group", "{cs05}"),
    ("Your contact with us", "{cont}"),
)


def _section() -> str:
    """Close the body: A4, a letterhead on the first page, a short header on those that follow."""
    return (
        '<w:sectPr><w:headerReference w:type="first" r:id="rId4"/><w:headerReference w:type="default" r:id="rId5"/>'
        '<w:footerReference w:type="first" r:id="rId6"/><w:footerReference w:type="default" r:id="rId6"/>'
        '<w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="1418" w:right="1304" w:bottom="1134" w:left="1304" '
        'w:header="680" w:footer="567" w:gutter="0"/><w:titlePg/></w:sectPr>'
    )


def _letterhead() -> str:
    lines = (
        _paragraph(_picture(520_000) + _run("  {onam}", size=36, bold=True, colour=_ACCENT), "Header"),
        _paragraph(_run("{opad} · {ozip} {ocit} · {opho} · {owww}", size=16, colour=_GREY), "HeaderLine"),
    )
    return _part("hdr", "".join(lines))


def _footer() -> str:
    pages = _run("Page ") + _field("PAGE") + _run(" of ") + _field("NUMPAGES")
    return _part("ftr", _paragraph(_run("{name} · {numb}") + _tab() + pages, "Footer"))


def _part(kind: str, content: str) -> str:
    return f"{_HEAD}<w:{kind} {_NAMESPACES}>{content}</w:{kind}>"


def _paragraph(content: str, style: str = "Normal") -> str:
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr>{content}</w:p>'


def _run(text: str, *, bold: bool = False, size: int = 0, colour: str = "") -> str:
    properties = (
        ("<w:b/>" if bold else "")
        + (f'<w:color w:val="{colour}"/>' if colour else "")
        + (f'<w:sz w:val="{size}"/>' if size else "")
    )
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def _tab() -> str:
    return "<w:r><w:tab/></w:r>"


def _field(instruction: str) -> str:
    return f'<w:fldSimple w:instr=" {instruction} "><w:r><w:t>1</w:t></w:r></w:fldSimple>'


def _merge_field(name: str) -> str:
    """Write the field as Word does: begin, instruction, separator, what is shown, end."""
    character = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    return (
        character.format("begin")
        + f'<w:r><w:instrText xml:space="preserve"> MERGEFIELD {name} </w:instrText></w:r>'
        + character.format("separate")
        + f"<w:r><w:rPr><w:b/></w:rPr><w:t>«{name}»</w:t></w:r>"
        + character.format("end")
    )


def _table(rows: tuple[tuple[str, str], ...]) -> str:
    line = f'w:val="single" w:sz="4" w:space="0" w:color="{_GREY}"'
    return (
        '<w:tbl><w:tblPr><w:tblW w:w="5000" w:type="pct"/><w:tblBorders>'
        f"<w:top {line}/><w:bottom {line}/><w:insideH {line}/></w:tblBorders></w:tblPr>"
        '<w:tblGrid><w:gridCol w:w="3200"/><w:gridCol w:w="6098"/></w:tblGrid>'
        + "".join(f"<w:tr>{_cell(name, 3200, 'CellName')}{_cell(value, 6098, 'Cell')}</w:tr>" for name, value in rows)
        + "</w:tbl>"
    )


def _cell(text: str, width: int, style: str) -> str:
    content = _paragraph(_run(text), style)
    return f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/></w:tcPr>{content}</w:tc>'


def _picture(size: int) -> str:
    """Place the logo in the line, `size` EMU (1/914 400 inch) on each side."""
    extent = f'cx="{size}" cy="{size}"'
    return (
        f'<w:r><w:drawing><wp:inline distT="0" distB="0" distL="0" distR="0"><wp:extent {extent}/>'
        '<wp:docPr id="1" name="Logo" descr="Waves under a low sun"/>'
        f'<a:graphic><a:graphicData uri="{_DRAWING}/picture"><pic:pic><pic:nvPicPr>'
        '<pic:cNvPr id="0" name="logo.png"/><pic:cNvPicPr/></pic:nvPicPr>'
        '<pic:blipFill><a:blip r:embed="rId1"/><a:stretch><a:fillRect/></a:stretch></pic:blipFill>'
        f'<pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext {extent}/></a:xfrm>'
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></pic:spPr></pic:pic></a:graphicData></a:graphic>'
        "</wp:inline></w:drawing></w:r>"
    )


def _styles() -> str:
    defaults = (
        '<w:docDefaults><w:rPrDefault><w:rPr><w:rFonts w:ascii="Calibri" w:hAnsi="Calibri" w:cs="Arial"/>'
        f'<w:color w:val="{_INK}"/><w:sz w:val="21"/><w:szCs w:val="21"/><w:lang w:val="en-GB"/></w:rPr>'
        "</w:rPrDefault></w:docDefaults>"
    )
    tabs = '<w:tabs><w:tab w:val="right" w:pos="9298"/></w:tabs>'
    styles = (
        _style("Normal", '<w:spacing w:after="140" w:line="271" w:lineRule="auto"/>'),
        _style("Address", '<w:spacing w:after="0"/>'),
        _style("Date", '<w:spacing w:before="480" w:after="360"/><w:jc w:val="right"/>'),
        _style(
            "Heading1",
            '<w:keepNext/><w:spacing w:after="60"/>',
            f'<w:b/><w:color w:val="{_ACCENT}"/><w:sz w:val="30"/>',
        ),
        _style("Reference", f'{tabs}<w:spacing w:after="280"/>', f'<w:color w:val="{_GREY}"/><w:sz w:val="18"/>'),
        _style(
            "ListNumber",
            '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr><w:spacing w:after="40"/>',
        ),
        _style("AfterList", '<w:spacing w:before="180"/>'),
        _style("AfterTable", '<w:spacing w:before="240"/>'),
        _style("Signature", '<w:keepNext/><w:spacing w:before="560" w:after="0"/>'),
        _style("Contact", '<w:spacing w:after="0"/>', f'<w:color w:val="{_GREY}"/>'),
        _style("CellName", '<w:spacing w:before="50" w:after="50"/>', f'<w:color w:val="{_GREY}"/>'),
        _style("Cell", '<w:spacing w:before="50" w:after="50"/>'),
        _style("Header", f'{tabs}<w:spacing w:after="40"/>'),
        _style(
            "HeaderLine",
            f'<w:pBdr><w:top w:val="single" w:sz="8" w:space="4" w:color="{_ACCENT}"/></w:pBdr>'
            '<w:spacing w:after="640"/>',
        ),
        _style("Footer", tabs, f'<w:color w:val="{_GREY}"/><w:sz w:val="17"/>'),
    )
    return f"{_HEAD}<w:styles {_NAMESPACES}>{defaults}{''.join(styles)}</w:styles>"


def _style(name: str, paragraph: str, run: str = "") -> str:
    base = '<w:basedOn w:val="Normal"/>' if name != "Normal" else ""
    default = ' w:default="1"' if name == "Normal" else ""
    return (
        f'<w:style w:type="paragraph"{default} w:styleId="{name}"><w:name w:val="{name}"/>{base}'
        f"<w:qFormat/><w:pPr>{paragraph}</w:pPr><w:rPr>{run}</w:rPr></w:style>"
    )


def _numbering() -> str:
    return (
        f'{_HEAD}<w:numbering {_NAMESPACES}><w:abstractNum w:abstractNumId="0">'
        '<w:multiLevelType w:val="singleLevel"/><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/>'
        '<w:pStyle w:val="ListNumber"/><w:lvlText w:val="%1."/><w:lvlJc w:val="left"/>'
        '<w:pPr><w:ind w:left="454" w:hanging="340"/></w:pPr></w:lvl></w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>'
    )


def _relationships(targets: dict[str, tuple[str, str]]) -> str:
    rows = (
        f'<Relationship Id="{key}" Type="{_R}/{kind}" Target="{target}"/>' for key, (kind, target) in targets.items()
    )
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{"".join(rows)}</Relationships>'


def _content_types() -> str:
    kinds = {"document": "document.main", "styles": "styles", "settings": "settings", "numbering": "numbering"}
    kinds |= {"header1": "header", "header2": "header", "footer1": "footer"}
    overrides = (
        f'<Override PartName="/word/{part}.xml" ContentType="{_TYPES}.{kind}+xml"/>' for part, kind in kinds.items()
    )
    return (
        f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="png" ContentType="image/png"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{"".join(overrides)}</Types>'
    )


def _logo(side: int = 128) -> bytes:
    """Draw the publisher's mark as a PNG: waves under a low sun."""
    rows = b"".join(b"\0" + b"".join(_pixel(x / side, y / side) for x in range(side)) for y in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _pixel(x: float, y: float) -> bytes:
    shades = ((0.82, b"\x0b\x6e\x75"), (0.66, b"\x2f\x9a\x9f"), (0.5, b"\x8f\xcf\xd1"))
    for depth, colour in shades:
        if y > depth + 0.04 * sin(9 * x + 11 * depth):
            return colour
    return b"\xf4\xb9\x42" if (x - 0.55) ** 2 + (y - 0.42) ** 2 < 0.045 else b"\xff\xff\xff"

"""Definitions of reports: what a user picks, its layout, its criteria; and the sheets that labels are printed on.

A user picks a row of `sorpublish`, which points at a template. A template has sections, a section has fields (lists,
groups) or parts of a cross table. All lengths are in twips, 1/1440 inch.
"""

from __future__ import annotations

from sqlalchemy import Table

from batchtask.crm7.columns import audit, big_number, flag, indexes, key, metadata, number, reference, text

#: `subject`: 2 company, 3 project, 4 sale, 5 activities, 6 selection; `layout`: 1 list, 2 label, 3 group, 4 cross.
sortemplate = Table(
    "sortemplate",
    metadata,
    key("sortemplate_id"),
    *number("subject"),
    *text(29, "viewname"),
    *number("layout", "orientation"),
    *text(254, "orderby", null=True),
    *big_number("printwidth", "bottommargin", "topmargin", "leftmargin", "rightmargin"),
    *number("published"),
    *audit(),
    *indexes("subject", "published"),
)

#: `associate_id`: 0 = a standard report, else the favourite of that user; 0xFFFFFFFF belongs to nobody.
sorpublish = Table(
    "sorpublish",
    metadata,
    key("sorpublish_id"),
    *reference("sortemplate_id"),
    *text(239, "name"),
    *big_number("nameresid", "associate_id"),
    *number("ccount"),
    *big_number("descriptionresid"),
    *reference("defaultlabellayout"),
    *number("forcedefault"),
    *audit(),
    *text(2047, "description", null=True),
    *number("isbuiltin", null=True),
    *flag("isedited", null=True),
    *indexes("sortemplate_id"),
)

#: Only users of these groups see the report; without a row, everybody.
sorpublishgrouplink = Table(
    "sorpublishgrouplink",
    metadata,
    key("sorpublishgrouplink_id"),
    *reference("sorpublishid", "usergroupid", null=True),
    *audit(),
    *indexes("sorpublishid", "usergroupid"),
)

sorcriteria = Table(
    "sorcriteria",
    metadata,
    key("sorcriteria_id"),
    *reference("sorpublish_id"),
    *text(29, "fieldname"),
    *reference("soroperators_id"),
    *text(254, "value1", "value2", null=True),
    *number("useit", "whereorder"),
    *audit(),
    *flag("locked", null=True),
    *indexes("sorpublish_id"),
)

soroperators = Table(
    "soroperators",
    metadata,
    key("soroperators_id"),
    *text(19, "operatortype"),
    *text(149, "description"),
    *big_number("descriptionresid"),
    *text(19, "operator1"),
    *text(19, "operator2", null=True),
    *audit(),
    *indexes("operatortype"),
)

#: `sectiontype`: reportheader, reportfooter, pageheader, pagefooter, detail, groupheader1 to 3, groupfooter1 to 3.
sorsection = Table(
    "sorsection",
    metadata,
    key("sorsection_id"),
    *reference("sortemplate_id"),
    *text(19, "sectiontype"),
    *big_number("height"),
    *text(29, "groupingfield", null=True),
    *audit(),
    *indexes("sortemplate_id"),
)

#: A part of a cross table. `fieldtype`: 0 hidden, 1 column, 2 row, 3 data; `aggregatefunction`: 0 sum, 1 count,
#: 2 average, 3 most, 4 least.
sorfct = Table(
    "sorfct",
    metadata,
    key("sorfct_id"),
    *reference("sorsection_id"),
    *number("fieldtype"),
    *text(29, "content", null=True),
    *number("groupfootertype"),
    *text(149, "caption", null=True),
    *big_number("captionresid"),
    *text(149, "totalscaption", null=True),
    *big_number("totalsresid"),
    *number("aggregatefunction", "displaytype"),
    *text(19, "numberformat", null=True),
    *audit(),
    *indexes("sorsection_id", "fieldtype"),
)

#: `func`: -1 none, 0 sum, 1 average, 2 count, 3 least, 4 most; `alignment`: 0 left, 1 right, 2 centre.
sorfield = Table(
    "sorfield",
    metadata,
    key("sorfield_id"),
    *reference("sorsection_id"),
    *text(14, "fieldtype"),
    *text(254, "content", null=True),
    *big_number("contentresid", "settop", "setleft"),
    *big_number("setheight", null=True),
    *big_number("setwidth"),
    *number("running", "func", "grouptype"),
    *text(14, "sgroup", null=True),
    *number("visible"),
    *text(149, "fontname"),
    *number("fontsize", "fontcolor", "fontbold", "fontitalic", "fontstrikethrough", "fontunderline", "alignment"),
    *text(19, "dataformat"),
    *audit(),
    *indexes("sorsection_id", "fieldtype", "visible"),
)

sorlabellayout = Table(
    "sorlabellayout",
    metadata,
    key("sorlabellayout_id"),
    *text(239, "name"),
    *big_number("paperwidth", "paperheight", "topmargin", "bottommargin", "leftmargin", "rightmargin"),
    *number("countcolumns", "countrows", "orientation"),
    *big_number("printwidth", "labelheight"),
    *audit(),
    *text(2047, "description"),
)

"""Footnotes and endnotes: every letter brings its own, under numbers of its own, and counts them from 1."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from worker.tasks.mail_merge.compile import Marks
from worker.tasks.mail_merge.package import Package
from worker.tasks.mail_merge.pieces import Boundary, Number, Piece
from worker.tasks.mail_merge.wordml import Element, number_in, section_child, serialise, w

KINDS = ("footnote", "endnote")


@dataclass(frozen=True, kw_only=True)
class Notes:
    """The part of the document that holds its footnotes, or its endnotes."""

    part: str
    opening: list[Piece]  #: with what separates notes from text
    letter: list[Piece]  #: the notes of one letter
    ends: list[Piece]


def mark_references(body: Element, root: Element, kind: str, marks: Marks, note_marks: Marks) -> None:
    """Give the notes that the body refers to numbers that differ between letters, and drop all others.

    Args:
        body: The document's.
        root: Of the part that holds the notes.
        kind: One of `KINDS`.
        marks: Of the document.
        note_marks: Of that part.
    """
    by_id = {note.get(w("id")): note for note in root.iter(w(kind))}
    first = max((number_in(note, "id") for note in by_id.values()), default=0) + 1
    references = [found for found in body.iter(w(f"{kind}Reference")) if found.get(w("id")) in by_id]
    notes = [by_id[reference.get(w("id"))] for reference in references]
    for note in [note for note in by_id.values() if note.get(w("type")) is None]:
        root.remove(note)
    for offset, (reference, note) in enumerate(zip(references, notes, strict=True)):
        number = Number(first=first, count=len(notes), offset=offset)
        reference.set(w("id"), marks.attribute(number))
        note.set(w("id"), note_marks.attribute(number))
    root.append(note_marks.content(Boundary()))
    root.extend(notes)
    root.append(note_marks.content(Boundary()))


def restart_numbers(section: Element) -> None:
    """Let Word count notes from 1 again in this section, the first of a letter."""
    for kind in KINDS:
        properties = section_child(section, f"{kind}Pr")
        for already in properties.findall(w("numRestart")):
            properties.remove(already)
        etree.SubElement(properties, w("numRestart"), {w("val"): "eachSect"})


def end_with_section(package: Package) -> None:
    """Let endnotes stand at the end of their letter, not at the end of the document."""
    part = package.find("settings")
    if part is None or part not in package.parts:
        return
    root = package.tree(part)
    properties = root.find(w("endnotePr"))
    if properties is None:
        return  # Word writes it whenever there are endnotes
    for already in properties.findall(w("pos")):
        properties.remove(already)
    properties.insert(0, etree.Element(w("pos"), {w("val"): "sectEnd"}))
    package.parts[part] = serialise(root)

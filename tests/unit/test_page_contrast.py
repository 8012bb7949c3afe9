"""Colours of the pages: every ink can be read on every ground that it stands on, light and dark (WCAG 2.2 AA)."""

from __future__ import annotations

import re

import pytest

from tests.system import ROOT

TOKENS = (ROOT / "projections" / "pages" / "tokens.css").read_text()
COLOURS = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6}, #\w{6})\);", TOKENS))
TEXT, CONTROL = 4.5, 3.0  #: least contrast of text, and of what bounds a control

GROUNDS = ("ground", "surface", "surface-sunken", "surface-hover")
PAIRS = [
    *(("ink", ground, TEXT) for ground in (*GROUNDS, "quiet-tint")),
    *(("ink-soft", ground, TEXT) for ground in (*GROUNDS, "quiet-tint")),
    *(("accent", ground, TEXT) for ground in (*GROUNDS, "accent-tint")),
    *(("accent-hover", ground, TEXT) for ground in GROUNDS),
    *((tone, f"{tone}-tint", TEXT) for tone in ("good", "bad", "warn", "quiet")),
    *((tone, "surface", TEXT) for tone in ("good", "bad", "warn")),
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-hover", TEXT),
    ("on-bad", "bad-strong", TEXT),
    *(("line-control", ground, CONTROL) for ground in ("ground", "surface")),
]


def luminance(colour: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground", "least"), PAIRS)
def test_ink_can_be_read_on_its_ground(ink: str, ground: str, least: float, theme: str) -> None:
    inks, grounds = (COLOURS[name].split(", ") for name in (ink, ground))
    place = ["light", "dark"].index(theme)
    darker, lighter = sorted(map(luminance, (inks[place], grounds[place])))
    assert (lighter + 0.05) / (darker + 0.05) >= least

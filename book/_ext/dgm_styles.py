"""One style sheet for all of a page's: those of the theme, the tools and the book, without rules that nothing meets.

A rule goes if it wants a class that stands in no page of the book and in no script. Everything else stays as it was, in
its order. Plain functions from text to text, and one that writes files.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import tinycss2
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

_ICONS = "_static/vendor/fontawesome/webfonts/fa-solid-900.ttf"
_COMMENT = re.compile(r"/\*.*?\*/", flags=re.DOTALL)
_GROUPS = ("@media", "@supports", "@layer", "@container")


def classes_of(pages: Iterable[str], scripts: Iterable[str]) -> set[str]:
    """Every class that an element of the pages has, and every word of the scripts: one of them may become a class."""
    found, scripts = set(), list(scripts)
    for page in pages:
        for names in re.findall(r'\bclass="([^"]*)"', page):
            found.update(names.split())
        scripts += re.findall(r"<script[^>]*>([^<].*?)</script>", page, flags=re.DOTALL)
    for script in scripts:
        found.update(re.findall(r"[A-Za-z_][\w-]*", script))
    return found


def rules(css: str) -> list[tuple[str, str | None]]:
    """The top level of a style sheet: pairs of prelude and block, without comments; of a statement the block is None.

    Raises:
        ValueError: for what is not a style sheet.
    """
    found = []
    for rule in tinycss2.parse_stylesheet(_COMMENT.sub("", css), skip_comments=True, skip_whitespace=True):
        if rule.type == "error":
            raise ValueError(f"line {rule.source_line} of a style sheet: {rule.message}")
        at = f"@{rule.at_keyword} " if rule.type == "at-rule" else ""
        prelude = (at + tinycss2.serialize(rule.prelude).strip()).strip()
        found.append((prelude, None if rule.content is None else tinycss2.serialize(rule.content)))
    return found


def split(selectors: str) -> list[str]:
    """A list of selectors, at the commas that stand in no parentheses, brackets or quotes."""
    found: list[list] = [[]]
    for value in tinycss2.parse_component_value_list(selectors):
        if value == ",":
            found.append([])
        else:
            found[-1].append(value)
    return [tinycss2.serialize(one).strip() for one in found]


def can_meet(selector: str, classes: set[str]) -> bool:
    """Whether all classes that a selector wants exist. What stands in parentheses or brackets is passed over."""
    values = tinycss2.parse_component_value_list(selector)
    return all(name.value in classes for dot, name in pairwise(values) if dot == "." and name.type == "ident")


def without_unmet(css: str, classes: set[str]) -> str:
    """The style sheet with the rules alone that something can meet."""
    kept = []
    for prelude, block in rules(css):
        if block is None:
            kept.append(f"{prelude};" if prelude else "")
        elif prelude.startswith(_GROUPS):
            inner = without_unmet(block, classes)
            kept.append(f"{prelude}{{{inner}}}" if inner else "")
        elif prelude.startswith("@"):
            kept.append(f"{prelude}{{{block.strip()}}}")
        else:
            met = [selector for selector in split(prelude) if can_meet(selector, classes)]
            kept.append(f"{','.join(met)}{{{block.strip()}}}" if met and block.strip() else "")
    return "\n".join(filter(None, kept))


def moved(css: str, there: str, here: str) -> str:
    """A style sheet that stood in folder ``there``, with the addresses that it has in folder ``here``."""
    def address(found):
        path = found["path"]
        if re.match(r"[a-z]+:|/|#", path):
            return found[0]
        return f"url({found['quote']}{posixpath.relpath(posixpath.join(there, path), here)}{found['quote']})"

    return re.sub(r"url\((?P<quote>[\"']?)(?P<path>[^\"')]+)(?P=quote)\)", address, css)


def read(out: Path, name: str) -> str:
    """A style sheet and what it imports, as part of one in ``_static/styles``."""
    css = (out / name).read_text(encoding="utf-8")
    here, parts = posixpath.dirname(name), []
    for prelude, block in rules(css):
        imported = re.fullmatch(r"@import (?:url\()?[\"']([^\"']+)[\"']\)?", prelude) if block is None else None
        if imported:
            parts.append(read(out, posixpath.normpath(posixpath.join(here, imported[1]))))
        elif not prelude.startswith("@charset"):
            whole = f"{prelude};" if block is None else f"{prelude}{{{block}}}"
            parts.append(moved(whole, here, "_static/styles"))
    return "\n".join(parts)


def with_few_icons(css: str, font: Path, small: Path) -> str:
    """The style sheet with a small font, of the icons that it shows, in place of the theme's; writes it.

    Args:
        css: the style sheet, in the folder of ``small``. font: the theme's font. small: the font to write.
    """
    used = {ord(letter) for letter in css if 0xE000 <= ord(letter) <= 0xF8FF}
    used |= {int(code, 16) for code in re.findall(r"\\(f[0-9a-f]{3})\b", css)}
    whole = TTFont(font)
    maker = Subsetter(Options(name_IDs=["*"], notdef_outline=True))
    maker.populate(unicodes=used)
    maker.subset(whole)
    for record in whole["name"].names:
        if record.nameID in (1, 3, 4, 6, 16):               # what its licence reserves for the font as it was
            record.string = "IconsOfTheBook"
    whole.flavor = "woff"
    whole.save(small)
    return re.sub(rf"src:url\([^)]*{font.stem}\.woff2\)[^}}]*?(?=[;}}])", f'src:url({small.name}) format("woff")', css)


def write(out: Path, lists: set[tuple[str, ...]], pages: Iterable[str]) -> dict[tuple[str, ...], str]:
    """Write one style sheet for each list of them, and again those of earlier builds, whose pages may not have changed.

    Args:
        out: the folder of the built book. lists: paths of style sheets below it, in order. pages: all of its pages.

    Returns:
        for each list the path of its one sheet, with what tells a browser that it changed.
    """
    folder = out / "_static" / "styles"
    for old in folder.glob("book-*.css"):
        sources = re.match(r"/\* (.*) \*/", old.read_text(encoding="utf-8"))
        lists = lists | {tuple(sources[1].split(", "))}
    programs = [path for path in sorted((out / "_static").rglob("*.js")) if path.name != "fontawesome.js"]
    scripts = (path.read_text(encoding="utf-8") for path in programs)
    classes, written = classes_of(pages, scripts), {}
    for names in sorted(lists):
        css = "\n".join(without_unmet(read(out, name), classes) for name in names)
        css = f"/* {', '.join(names)} */\n{css}\n"
        name = f"book-{hashlib.sha256(repr(names).encode()).hexdigest()[:8]}.css"
        css = with_few_icons(css, out / _ICONS, (folder / name).with_suffix(".woff"))
        (folder / name).write_text(css, encoding="utf-8")
        written[names] = f"_static/styles/{name}?v={hashlib.sha256(css.encode()).hexdigest()[:8]}"
    return written

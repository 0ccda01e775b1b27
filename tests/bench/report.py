# SPDX-License-Identifier: Apache-2.0
"""Figures, and how they are shown: a table on standard output, and all of them as JSON."""

import json
import statistics
from dataclasses import dataclass, field


@dataclass
class Figure:
    """One thing that was measured, as often as it was. at_most, at_least: what is to be reached."""
    key: str
    text: str
    unit: str
    values: list
    at_most: float = None
    at_least: float = None
    note: str = ""

    def __post_init__(self):
        self.values = [float(v) for v in self.values]

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def met(self):
        if self.at_most is not None:
            return self.median <= self.at_most
        return self.median >= self.at_least if self.at_least is not None else None

    @property
    def goal(self):
        if self.met is None:
            return ""
        side, limit = ("at most", self.at_most) if self.at_most is not None else ("at least", self.at_least)
        return f"{side} {limit:,g}" if limit < 1e5 else f"{side} {limit:,.0f}"

    @property
    def verdict(self):
        return {None: "", True: "ok", False: "missed"}[self.met]

    @property
    def spread(self):
        return f"{number(min(self.values))} – {number(max(self.values))}" if len(self.values) > 1 else ""

    def as_json(self):
        found = {"key": self.key, "text": self.text, "unit": self.unit, "median": self.median, "min": min(self.values),
                 "max": max(self.values), "values": self.values}
        if self.met is not None:
            limit = {"at_most": self.at_most} if self.at_most is not None else {"at_least": self.at_least}
            found |= {"goal": limit, "met": self.met}
        return found | ({"note": self.note} if self.note else {})


@dataclass
class Section:
    """A matrix (rows by what varies, columns of figures), then a list, then words."""
    name: str
    title: str
    rows: list = field(default_factory=list)        # [(cells that name the row, figures)]
    row_names: tuple = ()
    columns: tuple = ()
    figures: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def add(self, key, text, unit, values, **goal):
        """Returns the median, for what is reckoned from it."""
        self.figures.append(Figure(key, text, unit, list(values), **goal))
        return self.figures[-1].median

    def add_row(self, names, figures):
        """A figure a column; None where a row has none."""
        self.rows.append((names, figures))

    def every_figure(self):
        return [f for _, figures in self.rows for f in figures if f] + self.figures


def number(x):
    """Three digits or so: more would be noise."""
    if x == int(x) or abs(x) >= 100:
        return f"{x:,.0f}"
    return f"{x:.1f}" if abs(x) >= 10 else f"{x:.2f}" if abs(x) >= 0.1 else f"{x:.2g}"


def aligned(rows, left):
    """Lines of columns; the first @left are texts, the others figures."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(w) if i in left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))]
        yield ("  " + "  ".join(cells)).rstrip()


def matrix_lines(section):
    def cell(figure):
        if figure is None:
            return "–"
        return f"{number(figure.median)} ({figure.spread})" if figure.spread else number(figure.median)

    rows = [[*section.row_names, *section.columns]]
    rows += [[*names, *map(cell, figures)] for names, figures in section.rows]
    return aligned(rows, ())


def list_lines(section):
    rows = [["", "median", "min – max", "", "to reach", ""]]
    rows += [[f.text, number(f.median), f.spread, f.unit, f.goal, f.verdict] for f in section.figures]
    return aligned(rows, (0, 3, 4, 5))


def section_text(section):
    lines = [section.title, ""]
    if section.rows:
        lines += [*matrix_lines(section), ""]
    if section.figures:
        lines += [*list_lines(section), ""]
    lines += [f"  {note}" for note in section.notes] + [""] * bool(section.notes)
    return "\n".join(lines)


def summary_text(sections):
    judged = [f for s in sections for f in s.every_figure() if f.met is not None]
    missed = [f for f in judged if not f.met]
    if not judged:
        return "Nothing measured here has a goal"
    lines = [f"{len(judged) - len(missed)} of {len(judged)} goals reached" + ("; missed:" if missed else "")]
    return "\n".join(lines + [f"  {f.text}: {number(f.median)}{' ' * bool(f.unit)}{f.unit}, {f.goal}" for f in missed])


def write_json(path, facts, sections):
    found = facts | {"sections": [{"name": s.name, "title": s.title, "notes": s.notes,
                                   "figures": [f.as_json() for f in s.every_figure()]} for s in sections]}
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""events.py SOURCE: the table of events, the manual page and the message catalog say the same.

Names, priorities and MESSAGE_IDs of src/facts/event.c; the table EVENTS of man/holdfastd.8; the entries of
systemd/holdfast.catalog, each with a subject and a text; the fields that src/report writes and the page lists.
"""

import pathlib
import re
import sys

PRIORITIES = {"ALERT": "alert", "CRIT": "crit", "ERR": "err", "WARNING": "warning", "NOTICE": "notice", "INFO": "info"}


def table_of_code(source):
    text = (source / "src/facts/event.c").read_text(encoding="utf-8")
    rows = re.findall(r'\[EVENT_[A-Z_]+\]\s*=\s*\{\s*"([a-z-]+)",\s*LOG_([A-Z]+),\s*"([0-9a-f]{32})"', text)
    return {name: (PRIORITIES[priority], message_id) for name, priority, message_id in rows}


def table_of_page(page):
    return dict(re.findall(r"^([a-z-]+)\t(alert|crit|err|warning|notice|info)\tT\{$", page, re.M))


def entries_of_catalog(source):
    text = (source / "systemd/holdfast.catalog").read_text(encoding="utf-8")
    parts = re.split(r"^-- ([0-9a-f]{32})$", text, flags=re.M)
    return list(zip(parts[1::2], parts[2::2]))


def fields_of_code(source):
    """Whole names only: a pattern such as HOLDFAST_%s would hide the rest from this test."""
    fields = set()
    for path in (source / "src/report").glob("*.c"):
        fields |= set(re.findall(r"\bHOLDFAST_[A-Z_]+\b", path.read_text(encoding="utf-8")))
    return fields - {"HOLDFAST_VERSION"}


def main():
    source = pathlib.Path(sys.argv[1])
    errors = []
    code = table_of_code(source)
    page_text = (source / "man/holdfastd.8").read_text(encoding="utf-8")
    page = table_of_page(page_text)
    catalog = entries_of_catalog(source)

    if len(code) < 25:
        errors.append(f"src/facts/event.c: only {len(code)} events found: the search is broken")
    for name in sorted(code.keys() ^ page.keys()):
        errors.append(f"{name} is in only one of src/facts/event.c and man/holdfastd.8")
    for name in sorted(code.keys() & page.keys()):
        if code[name][0] != page[name]:
            errors.append(f"{name}: {code[name][0]} in src/facts/event.c, {page[name]} in man/holdfastd.8")

    ids = [message_id for message_id, _ in catalog]
    known = {message_id: name for name, (_, message_id) in code.items()}
    if len(known) != len(code):
        errors.append("src/facts/event.c: two events share a MESSAGE_ID")
    for message_id in sorted(known.keys() - set(ids)):
        errors.append(f"systemd/holdfast.catalog lacks {known[message_id]} ({message_id})")
    for message_id in sorted(set(ids)):
        if message_id not in known:
            errors.append(f"systemd/holdfast.catalog: {message_id} is no event of ours")
        if ids.count(message_id) > 1:
            errors.append(f"systemd/holdfast.catalog has {message_id} more than once")
    for message_id, entry in catalog:
        header, _, body = entry.strip().partition("\n\n")
        if not re.search(r"^Subject: \S", header, re.M) or len(body.strip()) < 40:
            errors.append(f"systemd/holdfast.catalog: {known.get(message_id, message_id)} lacks a subject or a text")

    fields = fields_of_code(source)
    if len(fields) < 10:
        errors.append(f"src/report: only {len(fields)} fields found: the search is broken")
    for field in sorted(fields):
        if field not in page_text:
            errors.append(f"{field} is written by src/report, and not in man/holdfastd.8")

    print(f"{len(code)} events, {len(catalog)} catalog entries, {len(fields)} fields")
    for e in errors:
        print(e, file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())

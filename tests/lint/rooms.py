#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""rooms.py SOURCE BUILD: does the code keep to the table of rooms in docs/architecture.md?

The table says which rooms a room knows and which libraries it may use. Held against it:
- every #include below src/;
- the KNOWS of src/<room>/CMakeLists.txt;
- what the deciding rooms ask of the C library: no clock, no file, no socket, no environment, no chance.
"""

import pathlib
import re
import subprocess
import sys

# What belongs to a library, as the table calls it.
LIBRARIES = {
    "libcurl": r"curl/",
    "json-c": r"json-c/|json\.h$",
    "libyaml": r"yaml\.h$",
    "libsystemd": r"systemd/",
    "OpenSSL": r"openssl/",
    "SQLite": r"sqlite3\.h$",
    "libsmartcols": r"libsmartcols/",
    "libmicrohttpd": r"microhttpd\.h$",
    "uthash": r"ut(hash|list|array|ringbuffer|stack|string)\.h$",
}

# C, POSIX and Linux; anything else is a library that the table must name first.
SYSTEM = re.compile(
    r"(sys|linux|netinet|arpa|net|bits)/[a-z0-9_/-]+\.h$"
    r"|(aio|assert|byteswap|ctype|dirent|dlfcn|endian|err|errno|fcntl|fnmatch|ftw|getopt|glob|grp|iconv|inttypes|langinfo|libgen"
    r"|limits|locale|malloc|math|netdb|poll|pthread|pwd|regex|sched|search|semaphore|setjmp|signal|stdalign|stdarg|stdatomic"
    r"|stdbool|stddef|stdint|stdio|stdio_ext|stdlib|stdnoreturn|string|strings|sysexits|syslog|termios|threads|time|uchar"
    r"|unistd|wchar|wctype)\.h$"
)

# The rooms that only decide, and what they must not reach for (undefined symbols of their objects).
PURE_ROOMS = ("facts", "control", "engine")
IMPURE = re.compile(
    r"^(time|clock|clock_gettime|gettimeofday|timespec_get|nanosleep|usleep|sleep|open|open64|openat|creat|fopen|fopen64"
    r"|read|write|socket|connect|send|sendto|sendmsg|recv|recvfrom|recvmsg|poll|epoll_wait|select|getenv|secure_getenv|setenv"
    r"|rand|random|rand_r|getrandom|getentropy|arc4random|pthread_create|fork|system|popen|syslog|printf|puts|perror|stderr|stdout"
    r"|localtime|localtime_r|mktime|tzset)$"
)

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')

errors = []


def complain(text):
    errors.append(text)


def read_table(page):
    """Rows such as: | `cloud` | what lives there | base, facts | json-c, OpenSSL |"""
    table = {}
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        name = re.fullmatch(r"`([a-z]+)`", cells[0])
        if len(cells) != 4 or not name:
            continue
        table[name[1]] = (words(cells[2]), words(cells[3]))
    return table


def words(cell):
    return {w.strip() for w in cell.split(",") if w.strip() not in ("", "–", "-")}


def check_table(table, source):
    rooms = {p.name for p in (source / "src").iterdir() if p.is_dir() and any(p.glob("*.[ch]"))}
    for room in sorted(rooms - table.keys()):
        complain(f"src/{room}: the table in docs/architecture.md does not have it")
    for room in sorted(table.keys() - rooms):
        complain(f"docs/architecture.md: src/{room} does not exist")
    for room, (knows, libraries) in table.items():
        for other in sorted(knows - table.keys()):
            complain(f"docs/architecture.md: {room} knows {other}, which is no room")
        for library in sorted(libraries - LIBRARIES.keys()):
            complain(f"docs/architecture.md: {room} uses {library}, which this test has no headers for")
        for other in sorted(knows & table.keys()):
            if room in table[other][0]:
                complain(f"docs/architecture.md: {room} and {other} know each other")


def check_include(where, room, quoted, angled, table):
    knows, libraries = table[room]
    if quoted:
        other = quoted.split("/")[0]
        if "/" not in quoted:
            complain(f'{where}: "{quoted}" does not name its room')
        elif other != room and other not in knows:
            complain(f'{where}: "{quoted}": {room} does not know {other}')
        return
    for library, pattern in LIBRARIES.items():
        if re.match(pattern, angled):
            if library not in libraries:
                complain(f"{where}: <{angled}>: {room} must not use {library}")
            return
    if not SYSTEM.match(angled):
        complain(f"{where}: <{angled}>: neither the C library's nor one of {', '.join(LIBRARIES)}")


def check_includes(table, source):
    n = 0
    for path in sorted((source / "src").glob("*/*.[ch]")):
        room = path.parent.name
        if room not in table:
            continue
        n += 1
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            m = INCLUDE.match(line)
            if m:
                check_include(f"{path.relative_to(source)}:{number}", room, m[1], m[2], table)
    if n < 20:
        complain(f"only {n} files found below src/: the search is broken")
    return n


def check_cmake(table, source):
    """KNOWS in the build may leave out what another room brings along, never add."""
    for room, (knows, _) in table.items():
        path = source / "src" / room / "CMakeLists.txt"
        if not path.exists():
            continue
        text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
        for m in re.finditer(r"\bKNOWS\b(.*?)(?=\b(?:USES|PRIVATE_USES|SOURCES)\b|\))", text, re.S):
            for other in sorted(set(m[1].split()) - knows):
                complain(f"src/{room}/CMakeLists.txt: KNOWS {other}, which docs/architecture.md does not allow")


def check_purity(build):
    for room in PURE_ROOMS:
        archive = build / "src" / room / f"lib{room}.a"
        if not archive.exists():
            complain(f"{archive} is missing: build first")
            continue
        out = subprocess.run(["nm", "-A", "-u", str(archive)], check=True, capture_output=True, text=True).stdout
        for line in out.splitlines():
            where, _, symbol = line.rpartition(" U ")
            symbol = symbol.strip().split("@")[0]
            if IMPURE.match(symbol):
                complain(f"{where.split(':')[1]} of {room} calls {symbol}(): the rooms that decide read no clock and do no I/O")


def main():
    source, build = (pathlib.Path(a) for a in sys.argv[1:3])
    table = read_table(source / "docs" / "architecture.md")
    if len(table) < 8:
        complain("docs/architecture.md: the table of rooms was not found")
    else:
        check_table(table, source)
        n = check_includes(table, source)
        check_cmake(table, source)
        check_purity(build)
        print(f"{len(table)} rooms, {n} files")
    for e in errors:
        print(e, file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())

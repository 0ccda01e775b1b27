#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""contents.py CMAKE SOURCE PACKAGES KIND...

There is one list of contents: what CMake installs. Every kind of package (deb, rpm) in PACKAGES has to hold these files and no others,
in the right one of the two packages, with the same ones marked as configuration, and under the same version.
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TARGETS = ["holdfastd", "holdfastctl", "holdfast-sim"]
# What a distribution adds by itself, or wants.
ADDED = re.compile(r"/usr/share/doc/[^/]+/(copyright|changelog\.gz|changelog\.Debian\.gz|README\.Debian(\.gz)?)$"
                   r"|/usr/share/licenses/|/usr/lib/\.build-id/")
# Where distributions have different folders for the same thing.
ALIASES = [(r"^/lib/", "/usr/lib/"), (r"/zsh/vendor-completions/", "/zsh/site-functions/")]


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(part) for part in command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def same_name(path):
    for pattern, replacement in ALIASES:
        path = re.sub(pattern, replacement, path)
    if path.startswith("/usr/share/man/") or path.startswith("/usr/share/doc/"):
        path = path.removesuffix(".gz")
    return path


def package_of(path):
    return "holdfast-sim" if "holdfast-sim" in path else "holdfast"


def manifest(cmake, source):
    """What `cmake --install` would put into place. Nothing is built: empty files stand in for the programs."""
    with tempfile.TemporaryDirectory(prefix="holdfast-contents-") as work:
        build, root = Path(work, "build"), Path(work, "root")
        run(cmake, "-S", source, "-B", build, "-DCMAKE_INSTALL_PREFIX=/usr", "-DCMAKE_INSTALL_SYSCONFDIR=/etc", "-DHOLDFAST_TESTS=OFF",
            "-DCMAKE_SKIP_INSTALL_RPATH=ON", "-DCMAKE_BUILD_TYPE=None")
        for target in TARGETS:
            Path(build, "bin").mkdir(exist_ok=True)
            Path(build, "bin", target).touch()
        run("env", f"DESTDIR={root}", cmake, "--install", build)
        paths = {"/" + str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}

    files = {"holdfast": set(), "holdfast-sim": set()}
    for path in paths:
        package = package_of(path)
        # The only thing that packages move: the simulator's example belongs to the documentation of its own package.
        files[package].add(same_name(path).replace("/usr/share/doc/holdfast/", f"/usr/share/doc/{package}/"))
    return files


def deb(folder):
    """package -> (files, configuration, version)"""
    found = {}
    for path in folder.glob("*.deb"):
        name = run("dpkg-deb", "--field", path, "Package").strip()
        if name.endswith("-dbgsym"):
            continue
        files = {line.split(maxsplit=5)[5].removeprefix(".") for line in run("dpkg-deb", "--contents", path).splitlines()
                 if not line.startswith("d")}
        with tempfile.TemporaryDirectory(prefix="holdfast-contents-") as work:
            run("dpkg-deb", "--control", path, work)
            conffiles = Path(work, "conffiles")
            config = set(conffiles.read_text().split()) if conffiles.exists() else set()
        found[name] = files, config, run("dpkg-deb", "--field", path, "Version").strip()
    return found


def rpm(folder):
    found = {}
    for path in folder.glob("*.rpm"):
        if path.name.endswith(".src.rpm"):
            continue
        name, version = run("rpm", "-qp", "--qf", "%{NAME} %{VERSION}", path).split()
        entries = run("rpm", "-qp", "--qf", r"[%{FILEMODES:perms} %{FILENAMES}\n]", path).splitlines()
        files = {entry.split(maxsplit=1)[1] for entry in entries if not entry.startswith("d")}
        found[name] = files, set(run("rpm", "-qpc", path).split()), version
    return found


def main():
    cmake, source, packages, *kinds = sys.argv[1:]
    version = re.search(r"project\(holdfast VERSION (\S+)", Path(source, "CMakeLists.txt").read_text()).group(1)
    expected = manifest(cmake, source)
    if len(expected["holdfast"]) < 15 or len(expected["holdfast-sim"]) < 3:
        sys.exit(f"CMake installs next to nothing: the test is broken\n{expected}")

    problems = []
    for kind in kinds:
        found = {"deb": deb, "rpm": rpm}[kind](Path(packages, kind))
        if found.keys() != expected.keys():
            sys.exit(f"{kind}: packages {sorted(found)}, expected {sorted(expected)}")
        for package, (files, config, its_version) in sorted(found.items()):
            names = {same_name(path) for path in files if not ADDED.search(path)}
            problems += [f"{kind}: {package} lacks {path}" for path in sorted(expected[package] - names)]
            problems += [f"{kind}: {package} has {path}, which CMake does not install" for path in sorted(names - expected[package])]

            settings = {path for path in expected[package] if path.startswith("/etc/")}
            problems += [f"{kind}: {package} does not keep what is edited in {path}" for path in sorted(settings - config)]
            problems += [f"{kind}: {package} takes {path} for configuration" for path in sorted(config - settings)]
            if its_version != version:
                problems.append(f"{kind}: {package} is version {its_version}, CMakeLists.txt says {version}")

    print(f"{sum(len(files) for files in expected.values())} files in {' and '.join(kinds)}")
    if problems:
        sys.exit("\n".join(problems))


main()

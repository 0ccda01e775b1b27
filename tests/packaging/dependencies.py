#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""dependencies.py SOURCE: what CMakeLists.txt asks pkg-config for is what the packages say they need to be built, with the same versions.
On a developer's host, where everything is installed, nobody would notice.
"""
import re
import subprocess
import sys
from pathlib import Path


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def debian_package(module):
    """The package that has the module's .pc file, if this is a Debian."""
    folder = run("pkg-config", "--variable=pcfiledir", module)
    # Where /lib is a link to /usr/lib, dpkg knows a file under one of the two names only.
    for name in (folder, folder.removeprefix("/usr")):
        owner = run("dpkg-query", "--search", f"{name}/{module}.pc")
        if owner:
            return owner.split(":")[0]
    return None


def main():
    source = Path(sys.argv[1])
    cmake = (source / "CMakeLists.txt").read_text()
    modules = dict(re.findall(r"^pkg_check_modules\(\w+ REQUIRED IMPORTED_TARGET ([\w.-]+)>=([\d.]+)\)", cmake, re.M))
    if len(modules) < 7 or len(modules) != len(re.findall(r"^pkg_check_modules\(", cmake, re.M)):
        sys.exit(f"CMakeLists.txt was not understood: {modules}")

    spec = (source / "packaging/rpm/holdfast.spec").read_text()
    required = dict(re.findall(r"^BuildRequires: +pkgconfig\(([\w.-]+)\) >= ([\d.]+)$", spec, re.M))
    problems = [f"holdfast.spec: {name} {required.get(name)}, CMakeLists.txt says {modules.get(name)}"
                for name in sorted(modules.keys() | required.keys()) if modules.get(name) != required.get(name)]

    control = (source / "packaging/debian/control").read_text()
    depends = dict(re.findall(r"^ ([\w.+-]+)(?: \(>= ([\d.]+)\))?(?: <.*>)?,$", control, re.M))
    for name, version in sorted(modules.items()):
        package = debian_package(name)
        if not package:
            print(f"{name}: no package of this system has it")
        elif depends.get(package) != version:
            problems.append(f"control: {package} {depends.get(package)}, CMakeLists.txt says {version}")

    if problems:
        sys.exit("\n".join(problems))


main()

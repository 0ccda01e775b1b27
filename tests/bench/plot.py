# SPDX-License-Identifier: Apache-2.0
"""Cost against the size of the fleet, as SVG, by gnuplot."""

import re

SCRIPT = """
set terminal svg size 800,820 dynamic background rgb "white" font "sans-serif,13"
set output "{output}"
set logscale xy
set xtics ({ticks})
set xrange [{left}:{right}]
set grid ytics lc rgb "#d8d8d8" lw 1
set border 3 lc rgb "#606060"
set tics nomirror textcolor rgb "#303030"
set bars small
set key top right samplen 2 spacing 1.2
set style line 1 lc rgb "#1b6ca8" lw 2 pt 7 ps 0.8
set style line 2 lc rgb "#c8553d" lw 2 pt 5 ps 0.8
set style line 3 lc rgb "#808080" lw 2 pt 9 ps 0.8
set multiplot layout 2,1 margins 0.09,0.97,0.08,0.94 spacing 0,0.13

set label 1 "CPU a request, µs" at graph 0,1.07
set yrange [5:*]
set ytics (5, 10, 20, 50, 100, 200, 500, 1000, 2000)
plot {cost}

set label 1 "… over wrk's in the same pair of windows" at graph 0,1.07
set yrange [1:*]
set ytics (1, 2.5, 5, 10, 20, 50, 100, 200)
set xlabel "instances; three calls each a round" textcolor rgb "#303030"
plot {ratio}
unset multiplot
"""


def points(section, kind, what):
    """[(instances, median, min, max)] by size."""
    found = []
    for f in section.every_figure():
        m = re.fullmatch(rf"steady\.{kind}\.(\d+)\.{what}", f.key)
        if m:
            found.append((int(m[1]), f.median, min(f.values), max(f.values)))
    return sorted(found)


def write(bench, section, path):
    data = bench.new_folder("plot")
    curves = {"cost": [], "ratio": []}

    def curve(panel, kind, what, title, style):
        rows = points(section, kind, what)
        if not rows:
            return
        file = data / f"{kind}-{what}"
        file.write_text("".join(f"{n} {a} {b} {c}\n" for n, a, b, c in rows), encoding="utf-8")
        curves[panel].append(f'"{file}" with yerrorlines ls {style} title "{title}"')

    for style, (kind, name) in enumerate((("h1", "HTTP/1.1"), ("h2", "HTTP/2")), 1):
        curve("cost", kind, "cpu", f"holdfastd, {name}", style)
        curve("ratio", kind, "ratio", f"{name}", style)
    curve("cost", "h1", "wrk", "wrk, HTTP/1.1: a floor", 3)
    curves["ratio"].append('2.5 with lines lc rgb "#303030" dt 2 title "to reach with 10,000: 2.5"')

    sizes = sorted({n for kind in ("h1", "h2") for n, *_ in points(section, kind, "cpu")})
    script = data / "script"
    script.write_text(SCRIPT.format(output=path, left=sizes[0] / 1.6, right=sizes[-1] * 1.6, ticks=", ".join(f'"{n:,}" {n}' for n in sizes),
                                    cost=", ".join(curves["cost"]), ratio=", ".join(curves["ratio"])), encoding="utf-8")
    bench.processes.run(["gnuplot", script])

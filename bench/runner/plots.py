# SVG plots by gnuplot.
#
# SPDX-License-Identifier: MIT
import os
import shutil
import subprocess

from .process import Failed

COLOUR = {'floor': '#7f7f7f', 'banter': '#1f77b4', 'peer': '#d9a441', 'kernel': '#c8c8c8'}
LINES = ('#1f77b4', '#d62728', '#2ca02c', '#9467bd', '#ff7f0e', '#17becf', '#8c564b')


def available():
    return shutil.which('gnuplot') is not None


def quote(text):
    return "'" + str(text).replace("'", "''") + "'"


def block(name, rows):
    lines = [' '.join('"' + c + '"' if isinstance(c, str) else f'{c:.6g}' for c in row)
             for row in rows]
    return f'${name} << EOD\n' + '\n'.join(lines) + '\nEOD\n'


def draw(path, size, script):
    head = (f"set terminal svg noenhanced size {size[0]},{size[1]} font 'sans-serif,13' "
            "background '#ffffff'\n"
            f'set output {quote(path)}\n'
            "set border 3 lc rgb '#404040'\nset tics nomirror\n"
            "set grid lc rgb '#dddddd'\n")
    done = subprocess.run(['gnuplot', '-'], input=head + script, text=True,
                          capture_output=True, check=False)
    # It ends with 0 after some errors, and says something after each.
    if done.returncode or 'line' in done.stderr:
        raise Failed(f'gnuplot, for {os.path.basename(path)}: {done.stderr.strip()[-300:]}')


def bars(path, title, axis, rows):
    """Horizontal bars; rows of (label, group, median, least, most)."""
    data = block('d', [(label, float(i), middle, least, most)
                       for i, (label, _, middle, least, most) in enumerate(rows)])
    top = max(r[4] for r in rows) * 1.18
    script = data + f'set title {quote(title)}\nset xlabel {quote(axis)}\n'
    script += f'set xrange [0:{top:g}]\nset yrange [{len(rows) - 0.4:g}:-0.6]\nunset key\n'
    script += 'set grid noytics\nset lmargin 20\nset style fill solid\n'
    for i, (_, group, middle, _, _) in enumerate(rows):
        script += (f'set object {i + 1} rect from 0,{i - 0.35:g} to {middle:g},{i + 0.35:g} '
                   f"fc rgb '{COLOUR[group]}' fs noborder\n")
    script += ("plot $d using 3:2:4:5:ytic(1) with xerrorbars pt 0 lc rgb '#202020', "
               "$d using 5:2:(sprintf('  %.0f', $3)) with labels left notitle\n")
    draw(path, (820, 60 + 30 * len(rows) + 40), script)


def stacks(path, title, axis, parts, rows):
    """Stacked bars; rows of (label, value of each part)."""
    data = block('d', [(label, *values) for label, *values in rows])
    script = data + f'set title {quote(title)}\nset ylabel {quote(axis)}\n'
    script += ('set style data histogram\nset style histogram rowstacked\n'
               'set style fill solid noborder\nset boxwidth 0.7\n'
               'set xtics rotate by -35\nset yrange [0:*]\nset key outside top\n')
    colours = (COLOUR['kernel'], COLOUR['banter'], COLOUR['peer'])
    script += 'plot ' + ', '.join(
        f"$d using {i + 2}:xtic(1) title {quote(part)} lc rgb '{colours[i % 3]}'"
        for i, part in enumerate(parts)) + '\n'
    draw(path, (860, 460), script)


def curves(path, title, x, y, lines, size=(820, 480), log=''):
    """Lines of (label, rows of (x, y))."""
    script = ''.join(block(f'd{i}', rows) for i, (_, rows) in enumerate(lines))
    script += f'set title {quote(title)}\nset xlabel {quote(x)}\nset ylabel {quote(y)}\n'
    script += f'set logscale {log}\n' if log else ''
    script += 'set key outside right\nplot ' + ', '.join(
        f"$d{i} using 1:2 with linespoints lw 2 pt {5 + i % 6 * 2} ps 0.7 "
        f"lc rgb '{LINES[i % len(LINES)]}' title {quote(label)}"
        for i, (label, _) in enumerate(lines)) + '\n'
    draw(path, size, script)

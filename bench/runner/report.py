# bench/REPORT.md and its plots, from the JSON of the runs only.
#
# SPDX-License-Identifier: MIT
import os
import shlex

from . import parts, plots, sections
from .expect import EXPECTED
from .figures import complaints
from .process import Failed
from .tool import say

HEAD = '''\
# Measurements

Written by `bench/run --report` from the runs below `build/bench/raw`; nothing here
is typed by hand but the expectations, which were written before the runs.

    script/bench                  builds the programs, then all parts but the million
    script/bench PART...          some parts: {parts}
    script/bench million          as root: a million clients, which want 14 GB
    bench/run --report            this text

**How.** Every server has CPU {server} to itself and the loader CPU {loader}{shared}.
A part runs its servers interleaved (A B C, A B C, ...), each started anew for each
run; figures are medians of {rounds} rounds (or of as many as a line tells in its last
column), with the least and the most in brackets; ratios are taken within a round, and
where their quartiles over the rounds are in brackets the table says so. The
loader checks that every member got every message once and in order: a run where not is
a failure. A run where the loader was late or short of CPU is void by its own verdict
and is made again, twice at most. Failed and void runs are counted in the tables and
listed below them. CPU is the time of all threads of all processes of a server, by their
CPU clocks, and of the kernel's thread `ksoftirqd` of its CPU. What a send does on loopback
is softirq work of its sender, but when one system call does hundreds of sends, as with
io_uring, the kernel hands a part of it to that thread, where no process is charged for it;
the tables tell how much. Where the loader shares the CPU it is left out, and the text
says so.

**The floor** (`bench/sendfloor`) reads and sends and does nothing else: no names, no
rooms, no queues. What is below it gathers several messages into one send.
'''


def machine_text(head):
    f, noise = head['facts'], head.get('noise', {})
    lines = [
        ('date', f['date']), ('CPU', f['cpu']),
        ('CPUs used', f'{f["cpus"]}' + cores(f)
         + (', in a virtual machine' if f['hypervisor'] else '')),
        ('governor', f['governor']), ('memory', f'{f["memory_mib"]:,} MiB'),
        ('kernel', f['kernel']),
        ('TCP congestion control', f.get('congestion_control', 'not known')),
        ('Debian', f['debian']),
        ('descriptors per process', f['nofile_hard']),
        ('banter', f'{f["revision"]}, {f["compiler"]}, {f["cflags"]}, '
                   f'configured with "{f["configured"]}"'),
        ('Python', f['python']),
        ('noise', noise_text(noise)),
    ]
    text = '| | |\n|---|---|\n' + ''.join(f'| {k} | {v} |\n' for k, v in lines)
    bad = [f'{k}: {v}' for k, v in f['mitigations'].items() if v != 'Not affected']
    return text + '\nMitigations: ' + ('; '.join(bad) or 'none are needed') + '.\n'


def cores(f):
    shared = f.get('threads_of_one_core')
    if f['cpus'] < 2 or shared is None:
        return ''
    return ', the first two ' + ('threads of one core' if shared else
                                 'not threads of one core, as far as the kernel is told')


def noise_text(noise):
    if not noise:
        return 'not known: the part was interrupted'
    return (f'load {noise["load_before"]:.2f} at the beginning, '
            f'{100 * noise["stolen"]:.1f} % of the CPU time stolen, a loop that does the '
            f'same each time varied by {100 * noise["loop_spread"]:.0f} %')


def introduction(heads):
    head = next(iter(heads.values()))
    f = head['facts']
    shared = '' if f['server_cpus'] != f['loader_cpus'] else ', which is the same one here'
    text = HEAD.format(parts=' '.join(n for n in parts.BY_NAME if n != 'million'),
                       server=join(f['server_cpus']), loader=join(f['loader_cpus']),
                       shared=shared, rounds=f['rounds'])
    kinds = {h['facts']['kind'] for h in heads.values()}
    if kinds != {'default'}:
        text += f'\n**These are {", ".join(sorted(kinds))} runs: not for the record.**\n'
    return text + '\n## The machine\n\n' + machine_text(head)


def join(cpus):
    return ', '.join(map(str, cpus))


def section(store, name, head, plot):
    records = store.records(name)
    title, make = sections.BY_NAME[name]
    f = head['facts']
    text = f'\n## {title}\n\n**Expected, before the run.** {EXPECTED[name]}\n\n'
    text += make(records, head, plot)
    text += (f'\n`script/bench {name}`, {f["date"]}, {f["revision"]}, '
             f'{rounds(records)} rounds of {durations(records, f)} s; '
             f'{noise_text(head.get("noise"))}.\n')
    if head.get('failed'):
        text += f'\nThe part did not end: {head["failed"]}.\n'
    bad = [f'left out: {m}' for m in head.get('missing', [])] + complaints(records)
    if bad:
        text += '\nNot counted:\n\n' + ''.join(f'- {b}\n' for b in bad)
    return text + command_text(records)


def rounds(records):
    """Of the cases that were run most often; one that failed twice is left out."""
    return 1 + max((r['round'] for r in records), default=0)


def durations(records, facts):
    """The lengths of the measured runs: some parts have longer ones than others."""
    found = {words[words.index('--duration') + 1] for words in
             (r.get('command', []) for r in records) if '--duration' in words}
    return ' and '.join(sorted(found, key=float)) or f'{facts["seconds"]:g}'


def command_text(records):
    """One command, to do a run by hand."""
    for r in records:
        if r.get('bench') and r['counts']:
            return '\nOne run: `' + shlex.join(by_hand(r['command'])) + '`\n'
    return ''


def by_hand(command):
    """Without what is for our own book-keeping."""
    words = [os.path.basename(command[0])]
    rest = iter(command[1:])
    for word in rest:
        if word in ('--hgrm', '--revision'):
            next(rest)
        elif word != '--quiet':
            words.append(word)
    return words


def appendix(heads, store):
    """What each server was told and which it was."""
    seen = {}
    for name in heads:
        for r in store.records(name):
            if r['server'] != 'star' and r.get('configuration'):
                seen.setdefault(r['server'], (r.get('version'), r['configuration']))
    text = '\n## Versions and configurations\n\nPorts and folders are filled in for each run.\n'
    for server, (version, configuration) in seen.items():
        text += f'\n### {server} {version or ""}'.rstrip() + '\n\n'
        text += ''.join(f'    {line}'.rstrip() + '\n' for line in configuration.splitlines())
    return text


def write(store, folder):
    heads = {name: store.load(name, 'part') for name in parts.BY_NAME}
    heads = {name: head for name, head in heads.items() if head}
    if not heads:
        raise Failed(f'nothing has been measured yet: {store.raw} is empty')
    os.makedirs(os.path.join(folder, 'plots'), exist_ok=True)
    drawn = plots.available()
    if not drawn:
        say('no gnuplot here (Debian: gnuplot-nox): the report has no plots')

    def plot(name, function, *arguments, **more):
        """Draw it, and the Markdown that shows it."""
        if not drawn:
            return ''
        path = os.path.join('plots', name + '.svg')
        function(os.path.join(folder, path), *arguments, **more)
        return f'\n![{arguments[0]}]({path})\n'

    text = introduction(heads)
    for name, head in heads.items():
        text += section(store, name, head, plot)
    text += appendix(heads, store)
    path = os.path.join(folder, 'REPORT.md')
    with open(path + '.new', 'w', encoding='utf-8') as f:
        f.write(text)
    os.replace(path + '.new', path)
    say(f'wrote {path}')

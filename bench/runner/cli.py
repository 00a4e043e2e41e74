# The command line of bench/run.
#
# SPDX-License-Identifier: MIT
import argparse
import fcntl
import os
import signal
import sys

from . import machine, parts, report
from .process import Failed
from .settings import TOP, Settings
from .store import Store
from .tool import Bench, say


def parser():
    p = argparse.ArgumentParser(
        prog='bench/run', formatter_class=argparse.RawDescriptionHelpFormatter,
        description='Measures banter against the floor and its peers, interleaved, on\n'
                    'pinned CPUs.  Results go to build/bench/raw, the report is made from\n'
                    'them with --report.',
        epilog='parts, and how long each takes:\n' + parts.explain())
    p.add_argument('part', nargs='*', metavar='PART',
                   help='what to measure (default: all but the million)')
    p.add_argument('--quick', action='store_true', help='2 rounds and shorter runs')
    p.add_argument('--tiny', action='store_true',
                   help='20 clients and 1 round: only tries the program out')
    p.add_argument('--rounds', type=int, help='rounds (5)')
    p.add_argument('--seconds', type=float, help='length of a measured run (0.8); those of fanout '
                        'and fanout10k are 2.5 times as long (2)')
    p.add_argument('--clients', type=int, help='clients of the million (1000000)')
    p.add_argument('--memory-floor', type=int, metavar='MIB',
                   help='memory that has to stay available (3072)')
    p.add_argument('--no-peers', action='store_true',
                   help="without Debian's servers and the Python ones")
    p.add_argument('--engines', help='of banterd, with commas (all that it has)')
    p.add_argument('--cpus', help='CPUs to use, with commas: the first is the '
                                  "server's, the second the loader's")
    p.add_argument('--build', default=os.path.join(TOP, 'build/speed'),
                   help='where the programs were built (build/speed)')
    p.add_argument('--out', default=os.path.join(TOP, 'build/bench'),
                   help='where results go (build/bench)')
    p.add_argument('--report', action='store_true',
                   help='write the report and its plots; without PART, from what is there')
    p.add_argument('--report-to', metavar='FOLDER', default=os.path.join(TOP, 'bench'),
                   help='where REPORT.md and plots/ go (bench)')
    return p


def settings_of(o):
    s = Settings(build=os.path.abspath(o.build), out=os.path.abspath(o.out))
    if o.quick:
        s.quick()
    if o.tiny:
        s.tiny()
    for name in ('rounds', 'seconds', 'memory_floor'):
        if getattr(o, name) is not None:
            setattr(s, name, getattr(o, name))
    s.million = o.clients or s.million
    s.peers = not o.no_peers
    if o.engines:
        s.engines = tuple(o.engines.split(','))
    if o.cpus:
        s.cpus = [int(c) for c in o.cpus.split(',')]
    return s


def measure(settings, store, names):
    os.makedirs(settings.out, exist_ok=True)
    # Two at once would measure each other.
    with open(os.path.join(settings.out, 'lock'), 'w', encoding='ascii') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise Failed('another bench/run is running') from e
        bench = Bench(settings, store, machine.revision())
        all_parts = parts.Parts(settings, bench)
        done = [parts.run(all_parts, name) for name in names]
    return all(done)


def main(arguments):
    o = parser().parse_args(arguments)
    unknown = [n for n in o.part if n not in parts.BY_NAME]
    if unknown:
        say(f'bench/run: no part is called {unknown[0]}; there are: '
            + ', '.join(parts.BY_NAME))
        return 64
    settings = settings_of(o)
    # As an interruption: servers end and groups of processes are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    store = Store(settings.out)
    names = o.part
    if not names and not o.report:
        names = [n for n in parts.BY_NAME if n != 'million']
    # It moves this process into another network, so nothing may come behind it.
    names = [n for n in names if n != 'million'] + [n for n in names if n == 'million']
    try:
        well = measure(settings, store, names) if names else True
        if o.report:
            report.write(store, o.report_to)
    except Failed as e:
        say(f'bench/run: {e}')
        return 1
    except KeyboardInterrupt:
        say('bench/run: interrupted; what was measured is kept')
        return 130
    return 0 if well else 1

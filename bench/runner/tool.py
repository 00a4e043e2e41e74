# One measurement: a server is started, banter-bench loads it, the result is kept.
#
# A figure counts when nothing was lost, doubled or out of order and the loader
# itself was not the limit.  Void runs (the loader's own verdict on itself) are
# made again, twice at most; what stays void or has failed is kept, counted in
# the report, and used for nothing else.
#
# SPDX-License-Identifier: MIT
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field

from . import figures, machine, process
from .process import Failed

ATTEMPTS = 3


def say(*words):
    print(*words, file=sys.stderr, flush=True)


@dataclass
class Case:
    """What is run once in each round."""
    server: object                  # makes a Server
    scenario: str
    options: list = field(default_factory=list)
    key: str = ''                   # tells cases of a server apart
    values: dict = field(default_factory=dict)  # for tables and plots
    watch_memory: bool = False
    after: object = None            # called with the server when the load is over
    loader_cpus: list = None
    fifo: bool = False              # the loader is not to wait for other processes
    attempts: int = ATTEMPTS
    rounds: int = None


class Bench:
    def __init__(self, settings, store, revision):
        self.settings, self.store, self.revision = settings, store, revision
        self.number = 0

    @property
    def program(self):
        return self.settings.program('src/bench/banter-bench')

    def command(self, case, server, hgrm=None):
        cpus = case.loader_cpus or self.settings.loader_cpus()
        command = [self.program, '--json', '--quiet', '--adapter', server.adapter,
                   '--cpu', ','.join(map(str, cpus)), '--server-pid', str(server.pid),
                   '--revision', self.revision, '--warmup', f'{self.settings.warmup:g}',
                   '--timeout', str(self.settings.patience), *server.options, *case.options]
        if hgrm:
            command += ['--hgrm', hgrm]
        return command + [case.scenario, server.address]

    def load(self, case, server, hgrm):
        """The command and the JSON of one run."""
        command = self.command(case, server, hgrm)
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False,
                                  timeout=300,
                                  preexec_fn=process.prepare(
                                      case.loader_cpus or self.settings.loader_cpus(), case.fifo))
        except OSError as e:
            raise Failed(f'{self.program}: {e.strerror}; script/bench builds it') from e
        except subprocess.TimeoutExpired as e:
            raise Failed('banter-bench did not end within 300 s') from e
        try:
            return command, json.loads(done.stdout)
        except ValueError as e:
            raise Failed(f'banter-bench ended with {done.returncode}: '
                         f'{done.stderr.strip()[-300:]}') from e

    def attempt(self, part, case, number):
        server = case.server()
        name = f'{number:04d}-{server.name}' + (f'-{case.key}' if case.key else '')
        record = {'part': part, 'number': number, 'server': server.name,
                  'group': server.group, 'key': case.key, 'scenario': case.scenario,
                  'values': case.values, 'name': name}
        if case.watch_memory:
            machine.settled_slab()
        try:
            with server:
                watch = process.MemoryWatch(server.pid) if case.watch_memory else None
                try:
                    record['command'], record['bench'] = self.load(
                        case, server, self.store.path(part, name))
                finally:
                    if watch:
                        record['memory'] = watch.end()
                if case.after:
                    record['after'] = case.after(server)
                record['address'] = server.address
        except Failed as e:
            record['failed'] = str(e)
        bench = record.get('bench', {})
        if bench.get('failed'):
            record['failed'] = bench['failed']
        elif bench and not bench['ok']:
            record['failed'] = 'delivery: ' + ', '.join(
                f'{v} {k}' for k, v in bench['errors'].items() if v)
        record['void'] = bool(bench.get('void'))
        record['counts'] = not record['void'] and 'failed' not in record
        record['version'] = server.version()
        record['configuration'] = server.configuration()
        return record

    def run(self, part, case, round_):
        for attempt in range(case.attempts):
            self.number += 1
            record = self.attempt(part, case, self.number)
            record.update(round=round_, attempt=attempt)
            self.store.save(part, record['name'], record)
            say(f'  round {round_ + 1} {record["server"]:<18} {case.scenario:<18} '
                f'{case.key:<12} {verdict(record)}')
            if not record['void']:
                return record
        return record

    def interleave(self, part, cases, rounds=None):
        """ABC ABC ...: so that what changes on the machine meets all alike.  A
        case that failed twice is left out from then on, and the report says so."""
        failures = {}
        for round_ in range(rounds or self.settings.rounds):
            for i, case in enumerate(cases):
                if failures.get(i, 0) >= 2 or (case.rounds and round_ >= case.rounds):
                    continue
                record = self.run(part, case, round_)
                if 'failed' in record:
                    failures[i] = failures.get(i, 0) + 1


def verdict(record):
    if 'failed' in record:
        return 'FAILED ' + record['failed']
    bench = record['bench']
    text = ''
    cpu = figures.CPU(record)
    if cpu is not None:
        text = f'{cpu:.0f} ns'
    if 'latency' in bench:
        text += f' p99 {bench["latency"]["p99"] / 1e6:.2f} ms'
    if record['void']:
        text += ' VOID ' + '; '.join(bench.get('void_reasons', []))
    return text

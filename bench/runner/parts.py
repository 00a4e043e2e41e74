# What is measured with which servers, part by part.  What it is to show, and
# what was expected, is in expect.py; the tables are made in figures.py.
#
# SPDX-License-Identifier: MIT
import subprocess

from . import brokers, process
from .machine import Noise, facts
from .process import Failed
from .servers import Banter, Floor, PyChat, engines_here
from .share import Controller, SharedBanter
from .tool import Case, say

FLOORS = ('epoll', 'io_uring')

# Of a CPU for each worker, where two workers are compared with one.  What is left
# is the loader's: it must be more than that needs for both.
SHARE = 0.35

# Times the seconds of a run, where a run of the usual length has few messages.
LONG = 2.5

# A client's kernel acknowledges its first 16 segments at once (Linux:
# TCP_MAX_QUICKACKS), on loopback in the sender's time, and what a protocol says
# at its beginning uses some of them up.  10,000 members get 12 messages a second:
# measured from the first one, these would be half of what is measured.
QUICK_ACKS = 20
SECONDS_EACH = 10e-6     # a delivery, napping included

# Loads of two workers: how they are called, publishers, options.
LOADS = {
    'serial': ('serial', 1, ['--serial']),
    'window': ('1 publisher, 8 in flight', 1, ['--window', '8']),
    'saturated': ('saturated', 8, ['--window', '4']),
    'deep': ('8 publishers, 64 in flight of each', 8, ['--window', '64']),
}


def maker(cls, *args, **more):
    """A function without arguments, so that each run gets a server of its own."""
    return lambda: cls(*args, **more)


class Parts:
    def __init__(self, settings, bench):
        self.s, self.bench, self.store = settings, bench, bench.store
        self.engines = engines_here(settings)
        self.missing = []       # from all parts
        self.left_out = []      # from the present one
        self.floor_engines = [e for e in FLOORS if self.floor_works(e)]
        # The engines that are offered for use, not for comparison.
        self.main = [e for e in ('epoll', 'io_uring') if e in self.engines]

    # ---- servers -------------------------------------------------------------

    def floor_works(self, engine):
        """A kernel may lack io_uring, or a container forbid it."""
        try:
            with Floor(self.s, engine):
                return True
        except Failed as e:
            self.missing.append(str(e))
            say(f'left out: {e}')
            return False

    def floors(self):
        return [maker(Floor, self.s, e) for e in self.floor_engines]

    def banters(self, raw=True):
        found = [maker(Banter, self.s, e) for e in self.main]
        return found + ([maker(Banter, self.s, 'epoll', raw=True)] if raw else [])

    def brokers(self, irc=True):
        if not self.s.peers:
            return []
        return [maker(b, self.s) for b in brokers.ALL if irc or b.adapter != 'irc']

    def pythons(self):
        if not self.s.peers:
            return []
        return [maker(PyChat, self.s, m) for m in ('epoll', 'asyncio', 'select', 'threads')]

    def everybody(self):
        return self.floors() + self.banters() + self.brokers() + self.pythons()

    def seconds(self, times=1.0):
        return ['--duration', f'{self.s.seconds * times:g}']

    # ---- parts ---------------------------------------------------------------

    def fanout(self):
        close = self.floors() + self.banters()
        self.one_at_a_time('fanout', self.s.small, close, self.brokers() + self.pythons())

    def fanout10k(self):
        self.one_at_a_time('fanout10k', self.s.large, self.floors() + self.banters())

    def one_at_a_time(self, part, members, close, others=()):
        warmup = max(self.s.warmup, QUICK_ACKS * members * SECONDS_EACH)
        cases = [Case(server, f'fanout-1-{members}',
                      ['--serial', '--nap', '200', *self.seconds(LONG),
                       '--warmup', f'{warmup:g}'],
                      rounds=None if server in close else self.s.rounds)
                 for server in [*close, *others]]
        self.bench.interleave(part, cases, self.s.close_rounds(part))

    def manypubs(self):
        publishers = min(8, self.s.small)
        cases = [Case(server, f'many-pubs-{self.s.small}',
                      ['--publishers', str(publishers), '--window', '4', *self.seconds()])
                 for server in self.everybody()]
        self.bench.interleave('manypubs', cases)

    def two_workers(self):
        cases = [self.workers_case(load, workers) for workers in (1, 2)
                 for load in ('serial', 'saturated')]
        controller = None
        try:
            if len(self.s.cpus) < 2:
                raise Failed('there is one CPU only')
            controller = Controller().open()
            cases += [self.workers_case(load, workers, controller)
                      for load in LOADS for workers in (1, 2)]
        except Failed as e:
            self.left_out.append(f'workers with a fixed share of a CPU: {e}')
            say(f'left out: {self.left_out[-1]}')
        try:
            self.bench.interleave('two-workers', cases)
        finally:
            if controller:
                controller.close()
        for round_ in range(self.s.few_rounds()):
            self.star(round_)

    def workers_case(self, load, workers, controller=None):
        _, publishers, options = LOADS[load]
        publishers = min(publishers, self.s.small)
        cpus = self.s.server_cpus(workers)
        values = {'load': load, 'workers': workers, 'server_cpus': cpus}
        if controller:
            # One and two workers meet the same loader, on both CPUs.
            server = maker(SharedBanter, self.s, controller, SHARE, workers=workers, cpus=cpus)
            loaders = self.s.server_cpus(2)
            values['share'] = SHARE
        else:
            server = maker(Banter, self.s, 'epoll', workers=workers, cpus=cpus)
            loaders = self.s.loader_cpus(workers)
        scenario = f'many-pubs-{self.s.small}' if publishers > 1 else f'fanout-1-{self.s.small}'
        many = ['--publishers', str(publishers)] if publishers > 1 else []
        return Case(server, scenario,
                    [*many, *options, '--processes', str(max(1, len(loaders))),
                     *self.seconds(2 if controller else 1)],
                    key=f'{load}-{workers}' + ('-share' if controller else ''),
                    values={**values, 'loader_cpus': loaders}, loader_cpus=loaders,
                    after=SharedBanter.used if controller else None)

    def star(self, round_):
        """The middle of the star alone: a hub and slots that only read."""
        record = {'part': 'two-workers', 'number': 9000 + round_, 'round': round_,
                  'server': 'star', 'group': 'star', 'key': 'star', 'void': False,
                  'name': f'star-{round_}'}
        command = [self.s.program('bench/star'), '0.5']
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              preexec_fn=process.prepare(None))
        record.update(command=command, output=done.stdout, counts=done.returncode == 0)
        if done.returncode:
            record['failed'] = done.stderr.strip()[-300:]
        self.store.save('two-workers', record['name'], record)
        say(f'  round {round_ + 1} star')

    def idle(self):
        rounds = self.s.few_rounds()
        # The memory is looked at five times a second while all are connected.
        options = ['--duration', '0.2' if self.s.kind == 'tiny' else '1.5']

        def cases(servers, n):
            return [Case(server, f'idle-{n}', options, key=str(n), values={'clients': n},
                         watch_memory=True) for server in servers]
        ours = self.floors() + self.banters()
        # select() has no descriptors for so many.
        others = [maker(Banter, self.s, e) for e in self.engines
                  if e not in self.main and e != 'select']
        # In IRC everybody is told of everybody who comes.
        large = cases(ours + self.brokers(irc=False), self.s.idle)
        small = cases(ours + others + self.brokers() + self.pythons(), self.s.small)
        # Not measured: so that the kernel's caches have had this size before.
        if self.floor_engines:
            self.bench.attempt('idle', large[0], 0)
        self.bench.interleave('idle', small if self.s.kind == 'tiny' else large + small,
                              rounds)

    def slow(self):
        # The kernel takes up to 4 MiB for a member that does not read before
        # banter has to keep anything.  So it is 1.6 MB a second, and fewer
        # members, who are then still served at half of a CPU.
        #
        # Other processes of the machine ran for some milliseconds in more than
        # one of a hundred messages, which then was the p99: both sides are
        # scheduled before them.  A timer wakes the loader 30 to 80 us late, a
        # tenth of the p50: it waits actively for the last of it.
        n = min(300, self.s.small)
        options = ['--rate', '400', '--size', '4000', '--spin', '200',
                   '--duration', f'{0.2 if self.s.kind == "tiny" else max(4, self.s.seconds):g}']
        cases = []
        for engine in self.main:
            for key, scenario in (('none', f'fanout-1-{n}'),
                                  ('slow', f'slow-{1 if n >= 100 else 10}%-{n}')):
                server = maker(Banter, self.s, engine, output_bytes='256K', fifo=True)
                cases.append(Case(server, scenario, options, key=key, fifo=True,
                                  values={'slow': key == 'slow'}, after=self.metrics))
        # The p99 of a run still varies by some per cent: more of them, each shorter.
        self.bench.interleave('slow', cases, self.s.rounds + (2 if self.s.kind == 'default' else 0))

    @staticmethod
    def metrics(server):
        return {'metrics': server.metrics(), 'fifo': process.is_fifo(server.pid)}

    def engine_cases(self):
        # 900, not 1,000, so that select can take part.
        sizes = (100, 900, self.s.large) if self.s.kind != 'tiny' else (self.s.small,)
        for n in sizes:
            for percent in (0, 10, 100):
                # 100 clients have none between one and all that is worth a run.
                if percent != 10 or n > 100:
                    yield n, percent

    def engines_part(self):
        room = min(900, self.s.small)
        cases = [Case(maker(Banter, self.s, engine), f'fanout-1-{room}',
                      ['--serial', *self.seconds()], key='room',
                      values={'clients': room, 'percent': None, 'engine': engine})
                 for engine in self.engines]
        for n, percent in self.engine_cases():
            # One active client: so many per cent.
            name = percent or f'{100 / n:g}'
            for engine in self.engines:
                if engine == 'select' and n > 900:
                    continue    # FD_SETSIZE: in the report as such
                cases.append(Case(
                    maker(Banter, self.s, engine), f'echo-{n}-{name}%',
                    ['--window', '1', *self.seconds()],
                    key=f'{n}-{percent}',
                    values={'clients': n, 'percent': percent, 'engine': engine}))
        self.bench.interleave('engines', cases, self.s.few_rounds())

    def peers_part(self):
        """Latency over the offered load, from 10 to 110 % of the maximum that
        was found just before."""
        servers = [self.floors()[0], *self.banters(raw=False), *self.brokers(irc=False)]
        most = {}
        for server in servers:
            record = self.bench.run('peers', Case(
                server, f'fanout-1-{self.s.small}', ['--window', '8', *self.seconds()],
                key='maximum', values={'percent': None}), 0)
            if 'bench' in record and 'failed' not in record:
                most[server] = record['bench']['rates']['messages_per_s']
        cases = []
        for percent in (10, 25, 50, 75, 90, 100, 110):
            for server, maximum in most.items():
                rate = maximum * percent / 100
                cases.append(Case(
                    server, f'fanout-1-{self.s.small}',
                    ['--rate', f'{rate:.3f}', '--arrival', 'poisson', *self.seconds()],
                    key=f'{percent:03d}', values={'percent': percent, 'rate': rate}, attempts=2))
        self.bench.interleave('peers', cases, min(self.s.rounds, 2))

    def million(self):
        from . import million   # it goes into a network namespace of its own
        million.run(self.s, self.store, self.bench)


# name, method, minutes of a default run on two CPUs, what it is
LIST = (
    ('fanout', Parts.fanout, 10,
     'CPU per delivery, 1,000 members, one message at a time: floor, banter, peers'),
    ('manypubs', Parts.manypubs, 3,
     'the same when 8 publish as fast as they can, 4 messages of each in flight'),
    ('fanout10k', Parts.fanout10k, 4,
     'CPU per delivery with 10,000 members: floor and banter'),
    ('two-workers', Parts.two_workers, 2.5,
     'deliveries per second of two workers on two CPUs against one; cost of the bus'),
    ('idle', Parts.idle, 5,
     'memory of idle clients, by process and in the kernel'),
    ('slow', Parts.slow, 2.5,
     'latency of the others when 1 % of 300 members stop reading'),
    ('engines', Parts.engines_part, 3.5,
     "banter's engines: idle connections and the fraction that is active"),
    ('peers', Parts.peers_part, 2.5,
     'latency over the offered load, 10 to 110 % of the maximum'),
    ('million', Parts.million, 5,
     'a million connected clients, against the bare pair; only when named'),
)
BY_NAME = {name: (method, minutes, text) for name, method, minutes, text in LIST}


def run(parts, name):
    method = BY_NAME[name][0]
    store = parts.store
    say(f'{name}: {BY_NAME[name][2]}')
    parts.left_out = []
    store.begin(name)
    noise = Noise()
    head = {'facts': facts(parts.s), 'engines': parts.engines,
            'missing': parts.missing, 'started': facts_time()}
    store.save(name, 'part', head)
    try:
        method(parts)
    except Failed as e:
        head['failed'] = str(e)
        say(f'{name}: {e}')
    head.update(missing=parts.missing + parts.left_out, noise=noise.end(), seconds=facts_time() - head['started'])
    store.save(name, 'part', head)
    say(f'{name}: {head["seconds"]:.0f} s')
    return 'failed' not in head and not any('failed' in r for r in store.records(name))


def facts_time():
    with open('/proc/uptime', encoding='ascii') as f:
        return float(f.read().split()[0])


def explain():
    return '\n'.join(f'  {name:<12} {minutes:>4g} min  {text}'
                     for name, _, minutes, text in LIST)

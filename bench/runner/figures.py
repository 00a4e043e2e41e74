# From runs to figures: medians, ranges, and ratios within a round.
#
# SPDX-License-Identifier: MIT
import re
from statistics import median, quantiles


class Figure:
    """The median of some runs and how far they went."""

    def __init__(self, values):
        self.values = sorted(v for v in values if v is not None)

    def __bool__(self):
        return bool(self.values)

    @property
    def median(self):
        return median(self.values)

    def text(self, scale=1.0, digits=0):
        if not self:
            return '-'
        def one(v):
            return f'{v / scale:,.{digits}f}'
        if len(self.values) == 1:
            return one(self.median)
        return f'{one(self.median)} ({one(self.values[0])}-{one(self.values[-1])})'

    def spread(self, digits=2):
        """The median and, of several, the quartiles: what single values far out do
        not move."""
        if len(self.values) < 2:
            return self.short(digits=digits)
        low, _, high = quantiles(self.values, n=4, method='inclusive')
        return f'{self.median:,.{digits}f} ({low:,.{digits}f}-{high:,.{digits}f})'

    def short(self, scale=1.0, digits=0):
        return f'{self.median / scale:,.{digits}f}' if self else '-'


def dig(record, *path):
    """A value deep inside, or None."""
    for key in path:
        if not isinstance(record, dict) or key not in record:
            return None
        record = record[key]
    return record


def counted(records):
    return [r for r in records if r['counts']]


def value(record, *what):
    """What banter-bench said: at a path, or what one function makes of the record."""
    return what[0](record) if callable(what[0]) else dig(record, 'bench', *what)


def figure(records, *what):
    return Figure(value(r, *what) for r in counted(records))


def group(records, *keys):
    """Records by the values of these keys, in the order of their appearance."""
    found = {}
    for r in records:
        found.setdefault(tuple(r.get(k) for k in keys), []).append(r)
    return {(k[0] if len(k) == 1 else k): v for k, v in found.items()}


def ratio(records, base, *what):
    """Each run against the base's run in the same round."""
    of_round = {r['round']: value(r, *what) for r in counted(base)}
    return Figure(value(r, *what) / of_round[r['round']] for r in counted(records)
                  if of_round.get(r['round']) and value(r, *what))


# ---- the server's CPU ------------------------------------------------------------
#
# It is that of its processes and of the kernel's softirq threads (ksoftirqd) of its
# CPUs.  Where the loader may run on these as well its work is in the threads, too,
# and only the processes are counted; so they are where the threads were not seen.

def softirqd(key):
    """A field of the threads, or None."""
    def of(record):
        server = dig(record, 'bench', 'server') or {}
        return None if server.get('softirqd_shared', True) else server.get('softirqd_' + key)
    return of


def with_softirqd(path, key):
    def of(record):
        own = dig(record, 'bench', 'server', path)
        return None if own is None else own + (softirqd(key)(record) or 0)
    return of


SOFTIRQD = softirqd('per_delivery_ns')
CPU = with_softirqd('cpu_per_delivery_ns', 'per_delivery_ns')
SOFTIRQD_MESSAGE = softirqd('per_message_ns')
CPU_MESSAGE = with_softirqd('cpu_per_message_ns', 'per_message_ns')
BUSY = with_softirqd('cpu_share', 'share')


def processes_only(records):
    """A sentence where the figures are of the processes alone, else ''."""
    seen = [SOFTIRQD(r) is not None for r in counted(records) if CPU(r) is not None]
    if all(seen):
        return ''
    return ('\nksoftirqd is not in '
            + ('some of these figures' if any(seen) else 'these figures')
            + ', which are of the processes alone: it was not measured, or the loader shared its '
            'CPU.\n')


def runs(records):
    """How many counted, and what became of the others."""
    void = sum(1 for r in records if r['void'])
    failed = sum(1 for r in records if 'failed' in r)
    text = str(len(counted(records)))
    if void:
        text += f', {void} void'
    if failed:
        text += f', {failed} failed'
    return text


def complaints(records):
    """What failed and why, each kind once."""
    seen = {}
    for r in records:
        why = r.get('failed')
        if not why and r['void']:
            why = 'void: ' + '; '.join(dig(r, 'bench', 'void_reasons') or ['?'])
        if why:
            # The numbers differ from run to run, the kind does not.
            kind = (r['server'], r.get('scenario', ''), re.sub(r'\d+(\.\d+)?', '#', why))
            first, n = seen.get(kind, (why, 0))
            seen[kind] = (first, n + 1)
    return [f'{server} {scenario}: {why}' + (f' ({n} times)' if n > 1 else '')
            for (server, scenario, _), (why, n) in seen.items()]


PROCESS_OF = (('master', re.compile(r'banterd: master|banterd .*-F|banterd -F')),
              ('keepers', re.compile(r'banterd: keeper')),
              ('workers', re.compile(r'banterd: worker')))


def pss_by_role(record):
    """Bytes per client by the role of a process, from what MemoryWatch saw."""
    clients = record['values']['clients']
    total = {'all': 0.0}
    for when, sign in (('before', -1), ('after', 1)):
        for name, size in record['memory'][when]['pss']:
            role = next((r for r, at in PROCESS_OF if at.search(name)), 'others')
            for key in (role, 'all'):
                total[key] = total.get(key, 0.0) + sign * size / clients
    return total


def kernel(records):
    """Bytes of the kernel per client."""
    return Figure((r['memory']['after']['kernel'] - r['memory']['before']['kernel'])
                  / r['values']['clients'] for r in counted(records))


STAR = re.compile(r'slots +(\d+) batch +(\d+): +(\d+) msg/s.* ([\d.]+) us CPU per message')


def star(records):
    """CPU per message in us, by (slots, batch)."""
    found = {}
    for r in counted(records):
        for slots, batch, _, cpu in STAR.findall(r['output']):
            found.setdefault((int(slots), int(batch)), []).append(float(cpu))
    return {k: Figure(v) for k, v in sorted(found.items())}

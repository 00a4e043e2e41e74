# The table and the plot of each part.
#
# SPDX-License-Identifier: MIT
from . import parts, plots
from .figures import kernel as kernel_of
from .figures import (BUSY, CPU, CPU_MESSAGE, SOFTIRQD, SOFTIRQD_MESSAGE, Figure, counted, dig,
                      figure, group, processes_only, pss_by_role, ratio, runs, star)
from .share import PERIOD_US

# Without ksoftirqd.
PROCESSES = ('server', 'cpu_per_delivery_ns')


def table(head, rows):
    """Markdown; the first column is text, the others are numbers."""
    text = '| ' + ' | '.join(head) + ' |\n|' + '---|' + '---:|' * (len(head) - 1) + '\n'
    return text + ''.join('| ' + ' | '.join(map(str, r)) + ' |\n' for r in rows)


def cpu_table(records, busy):
    by = group(records, 'server')
    floors = [by.get('floor-epoll', []), by.get('floor-io_uring', [])]
    head = ['server', 'CPU per delivery, ns', 'of it in ksoftirqd',
            'x epoll floor (quartiles)', 'x io_uring floor (quartiles)',
            'deliveries/s', 'server CPU', 'loader CPU', 'p50, ms', 'p99, ms', 'runs']
    rows = []
    for server, own in by.items():
        rows.append([server, figure(own, CPU).text(), figure(own, SOFTIRQD).short(),
                     *('1' if f is own else ratio(own, f, CPU).spread() for f in floors),
                     figure(own, 'rates', 'deliveries_per_s').short(),
                     percent(figure(own, BUSY)),
                     percent(figure(own, 'loader', 'cpu_share_max')),
                     figure(own, 'latency', 'p50').short(1e6, 2),
                     figure(own, 'latency', 'p99').short(1e6, 2), runs(own)])
    text = table(head, rows) + processes_only(records) + by_processes(by, floors)
    if busy:
        slack = [s for s, own in by.items() if figure(own, BUSY)
                 and figure(own, BUSY).median < 0.95]
        if slack:
            text += ('\nNot limited by its own CPU, so that deliveries per second are the '
                     f'loader\'s: {", ".join(slack)}.\n')
    return text


def by_processes(by, floors):
    """The ratios of what is compared most closely, as they were without ksoftirqd."""
    told = []
    for server, own in by.items():
        close = own[0]['group'] == 'banter' or own is floors[1]
        times = [f'{found.short(digits=2)} x the {name} floor' for name, found in
                 (('epoll', ratio(own, floors[0], *PROCESSES)),
                  ('io_uring', ratio(own, floors[1], *PROCESSES)))
                 if found and own is not by.get('floor-' + name)]
        if close and times and figure(own, SOFTIRQD):
            told.append(f'{server} ' + ' and '.join(times))
    return f'\nBy the processes alone, without ksoftirqd: {"; ".join(told)}.\n' if told else ''


def percent(f):
    return f.short(0.01) + ' %' if f else '-'


def cpu_plot(records, title, name, plot):
    rows = []
    for _, own in group(records, 'server').items():
        f = figure(own, CPU)
        if f:
            rows.append((own[0]['server'], own[0]['group'], f.median, f.values[0],
                         f.values[-1]))
    rows.sort(key=lambda r: r[2])
    return plot(name, plots.bars, title, 'ns of CPU per delivery', rows) if rows else ''


def cpu_section(title, name, busy=False):
    def make(records, _head, plot):
        return cpu_table(records, busy) + cpu_plot(records, title, name, plot)
    return make


# ---- two workers --------------------------------------------------------------

RATE = ('rates', 'deliveries_per_s')


def load_name(values):
    name = parts.LOADS[values['load']][0]
    return f'{name}, {values["workers"]} worker' + 's' * (values['workers'] > 1)


def two_workers(records, _head, _plot):
    records, stars = split(records, lambda r: r['server'] != 'star')
    shared, whole = split(records, lambda r: 'share' in r['values'])
    return (whole_cpus(whole) + (shares(shared) if shared else '')
            + '\nHere CPU is of the processes alone: ksoftirqd of CPUs that the loader shares has '
            "the loader's work in it.\n" + bus(stars))


def split(records, is_first):
    return [r for r in records if is_first(r)], [r for r in records if not is_first(r)]


def whole_cpus(records):
    rows = []
    text = ''
    by = group(records, 'key')
    for _, own in by.items():
        v = own[0]['values']
        one = by.get(f'{v["load"]}-1', [])
        rows.append([load_name(v),
                     ', '.join(map(str, v['server_cpus'])),
                     ', '.join(map(str, v['loader_cpus'])),
                     figure(own, *RATE).text(), ratio(own, one, *RATE).short(digits=2),
                     percent(figure(own, 'server', 'cpu_share')),
                     percent(figure(own, 'loader', 'cpu_share_max')),
                     figure(own, *PROCESSES).short(), runs(own)])
        share = figure(own, 'server', 'cpu_share')
        if share and share.median < 0.95 * len(v['server_cpus']):
            text += (f'\nWith "{rows[-1][0]}" the server did not use up its CPUs: the loader '
                     + ('shared them' if set(v['server_cpus']) & set(v['loader_cpus'])
                        else 'was the limit') + '.\n')
    return table(['load', 'server CPUs', 'loader CPUs', 'deliveries/s', 'x one worker',
                  'server CPU', 'loader CPU', 'CPU per delivery, ns', 'runs'], rows) + text


def shares(records):
    """Each worker with the same part of a CPU, so that the loader has the rest."""
    share = records[0]['values']['share']
    text = (f'\nThe same with {100 * share:.0f} % of a CPU for each worker, worker 1 on the first '
            'CPU and worker 2 on the second, by the bandwidth control of a cgroup in periods '
            f'of {PERIOD_US / 1000:g} ms; the master has no limit, and the loader, one process '
            'on each CPU for one worker as for two, has what is left. "Quota used" is the CPU '
            'time of the worker that used least against its quota; "throttled" the part of its '
            'periods, connecting included, at whose end it had to wait for the next. A worker '
            'that has used up its quota was the limit; a loader with CPU time left was not.\n\n')
    rows, verdicts = [], ''
    by = group(records, 'key')
    for _, own in by.items():
        v = own[0]['values']
        one = by.get(f'{v["load"]}-1-share', [])
        used = Figure(min(quota_used(r)) for r in counted(own))
        held = Figure(min(throttled(r)) for r in counted(own))
        rows.append([load_name(v), figure(own, *RATE).text(),
                     ratio(own, one, *RATE).text(digits=2), percent(used), percent(held),
                     percent(figure(own, 'loader', 'cpu_share_max')),
                     Figure(dig(r, 'after', 'lines_per_send') for r in counted(own)).short(digits=1),
                     figure(own, *PROCESSES).text(), runs(own)])
        if v['workers'] > 1:
            verdicts += gain(own, one)
    text += table(['load', 'deliveries/s', 'x one worker', 'quota used', 'throttled',
                   'loader CPU, the busier', 'lines a send', 'CPU per delivery, ns', 'runs'],
                  rows)
    return text + verdicts + (
        '\nThe gain is two times what a delivery costs with one worker against with two. '
        'With several messages in flight it differs because they gather differently: what '
        'has come in one turn leaves with one write for each member, and one worker finds '
        'together what two find in parts (lines a send, since the start): most so where '
        'every publisher waits for its own few messages to come back. Two CPUs also have '
        'twice the cache, and each worker half of the sockets: so it can be above two.\n')


def gain(two, one):
    """The gain, and whether it is the server's."""
    times, costs = ratio(two, one, *RATE), [figure(one, *PROCESSES), figure(two, *PROCESSES)]
    if not times or not all(costs):
        return ''
    full = all(min(quota_used(r)) >= 0.9 for r in counted(one) + counted(two))
    idle_loader = all(dig(r, 'bench', 'loader', 'cpu_share_max') <= 0.6
                      for r in counted(one) + counted(two))
    limit = ('the workers were the limit' if full and idle_loader else
             'the loader had no CPU time left in some runs' if full else
             'the workers did not use up their quota in some runs')
    return (f'\n{parts.LOADS[one[0]["values"]["load"]][0]}: two workers deliver '
            f'{times.short(digits=2)} times as much as one, '
            + ('at least' if times.median >= 1.7 else '**less than**')
            + f' the 1.7 aimed at; {limit}; a delivery costs {costs[0].short()} ns with one and '
            f'{costs[1].short()} ns with two.\n')


def quota_used(record):
    """Of each worker: its CPU time against what it was given."""
    bench, share = record['bench'], record['values']['share']
    given = share * bench['counts']['seconds'] * 1e9
    found = [p['cpu_ns'] / given for p in bench['server']['processes']
             if p['name'].startswith('banterd: wrk')]
    return found or [0]


def throttled(record):
    return [g['throttled'] / max(g['periods'], 1) for g in record['after']['groups']] or [0]


def bus(records):
    found = star(records)
    if not found:
        return ''
    text = ('\nThe bus alone (`bench/star`): CPU of the master for a message that comes from '
            'one slot and goes to all.\n\n')
    text += table(['slots', 'messages in a batch', 'CPU per message, us'],
                  [[s, b, f.text(digits=2)] for (s, b), f in found.items()])
    sizes = sorted({s for s, _ in found})
    for batch in sorted({b for _, b in found}):
        if len(sizes) >= 2 and all((s, batch) in found for s in (sizes[0], sizes[-1])):
            a, z = found[sizes[0], batch].median, found[sizes[-1], batch].median
            text += (f'\nIn batches of {batch}, a further slot costs '
                     f'{(z - a) / (sizes[-1] - sizes[0]):.3f} us for each message.\n')
    return text


# ---- memory -------------------------------------------------------------------

def idle(records, _head, plot):
    text = ''
    sizes = group_by_clients(records)
    for clients, of_size in sorted(sizes.items()):
        by = group(of_size, 'server')
        fewer = group(sizes[min(sizes)], 'server') if clients > min(sizes) else {}
        base = kernel_of(by.get('floor-epoll', []))
        rows, bars, aims = [], [], ''
        for server, own in by.items():
            roles = [pss_by_role(r) for r in counted(own)]
            def of(role, found=roles):
                return Figure(r.get(role) for r in found)
            each = further(own, fewer.get(server, []))
            kernel = kernel_of(own)
            beyond = kernel.median - base.median if kernel and base else None
            without = Figure(r['all'] - r.get('master', 0) for r in roles)
            user = of('all').median if each is None and of('all') else each
            both = user + beyond if user is not None and beyond is not None else None
            rows.append([server, of('all').text(), '-' if each is None else f'{each:,.0f}',
                         without.short(), of('master').short(),
                         kernel.text(), '-' if beyond is None else f'{beyond:+,.0f}',
                         '-' if both is None else f'{both:,.0f}', runs(own)])
            if own[0]['group'] == 'banter' and both is not None:
                aims += memory_aims(server, user, both)
            if kernel and of('all'):
                bars.append((server, kernel.median / 1024, max(of('all').median, 0) / 1024))
        text += f'\nWith {clients:,} clients, bytes for each:\n\n'
        text += table(['server', 'PSS of all processes', 'slope', "without the master's",
                       "the master's (register of names)", 'kernel, both ends',
                       'kernel beyond the epoll floor',
                       ('slope' if fewer else 'PSS') + ' + kernel beyond', 'runs'], rows)
        if clients == max(sizes):
            text += aims
        if bars:
            text += plot(f'memory-{clients}', plots.stacks,
                         f'Memory per idle client, {clients:,} clients', 'KiB',
                         ('kernel, both ends', 'processes'), bars)
    return text + ('\nPSS counts from none, so the first client brings the pages of the program '
                   'and its libraries that only clients need; what each further one costs is '
                   'the slope, from the fewest clients to the most.\n'
                   '\nThe kernel\'s part is what its caches for sockets, descriptors and threads grew '
                   'by (`/proc/slabinfo`, else all of Slab): both ends of each connection, '
                   'and whatever else the machine did; the median of several looks while all '
                   'were connected. A run before the first, not measured, has let these caches '
                   'grow.\n')


def further(own, fewer):
    """Bytes of user space of a client beyond the first ones."""
    def total(records):
        found = Figure(pss_by_role(r).get('all') for r in counted(records))
        n = records[0]['values']['clients'] if records else 0
        return n, n * found.median if found else None
    (n, most), (m, least) = total(own), total(fewer)
    return (most - least) / (n - m) if most is not None and least is not None else None


def memory_aims(server, user, both):
    def against(value, aim):
        return (f'{value:,.0f} bytes, ' + ('within' if value <= aim else '**not within**')
                + f' the {aim} aimed at')
    return (f'\n{server}: user space of all processes {against(user, 200)}; with what the '
            f'kernel has beyond the epoll floor {against(both, 250)}.\n')


def group_by_clients(records):
    found = {}
    for r in records:
        found.setdefault(r['values']['clients'], []).append(r)
    return found


# ---- slow members -------------------------------------------------------------

def slow(records, _head, _plot):
    rows, text = [], ''
    by = group(records, 'server', 'key')
    for (server, key), own in by.items():
        base = by.get((server, 'none'), [])
        p99 = ratio(own, base, 'latency', 'p99')
        rows.append([f'{server}, ' + ('1 % stopped' if key == 'slow' else 'all read'),
                     figure(own, 'latency', 'p50').text(1e6, 2),
                     figure(own, 'latency', 'p99').text(1e6, 2), p99.text(digits=2),
                     figure(own, 'lateness', 'p99').short(1e3),
                     figure(own, CPU).short(), figure(own, SOFTIRQD).short(), runs(own)])
        if key == 'slow' and p99:
            moved = 100 * (p99.median - 1)
            text += (f'\n{server}: the p99 of those who read moved by {moved:+.1f} %, '
                     + ('within' if moved < 10 else '**not within**') + ' the 10 % aimed at'
                     + left_out(own) + '.\n')
    fifo = all(dig(r, 'after', 'fifo') for r in counted(records))
    return table(['server', 'p50, ms', 'p99, ms', 'p99 x all read', 'loader late, p99, us',
                  'CPU per delivery, ns', 'of it in ksoftirqd', 'runs'],
                 rows) + processes_only(records) + (
        '\nServer and loader ran ' + (
            'before all other processes of their CPUs (SCHED_FIFO)' if fifo else
            'beside other processes, because this user may not use SCHED_FIFO: the p99 '
            'has these in it') + '.\n') + text


def left_out(records):
    """Whether the slow ones were slow enough for banter to notice."""
    n = [dig(r, 'after', 'metrics', 'missed') for r in counted(records)]
    return f'; {Figure(n).short()} messages were left out for the slow ones' if Figure(n) else ''


# ---- engines ------------------------------------------------------------------

def engines(records, head, plot):
    names = head['engines']
    by, room = {}, {}
    for r in records:
        v = r['values']
        if v['percent'] is None:
            room.setdefault(v['engine'], []).append(r)
            continue
        by.setdefault((v['percent'], v['clients']), {}).setdefault(v['engine'], []).append(r)
    cost = (CPU_MESSAGE,)
    text = ''
    for title, path, scale, digits in (('CPU per message, us', cost, 1e3, 1),
                                       ('p99 of the round trip, us', ('latency', 'p99'), 1e3, 0)):
        rows = []
        for (percent_, clients), own in sorted(by.items()):
            rows.append([load_title(percent_, clients)] + [
                figure(own[e], *path).text(scale, digits) if e in own
                else 'n/a' for e in names])
        text += f'\n{title}:\n\n' + table(['load', *names], rows)
        if path == cost:
            text += processes_only(records) + in_softirqd(by, names) + against_epoll(by, names)
    if room:
        members = next(iter(room.values()))[0]['values']['clients']
        text += f'\nOne room of {members}, one message at a time, CPU per delivery, ns:\n\n'
        text += table(['', *names], [
            ['one room', *(figure(room.get(e, []), CPU).text() for e in names)],
            ['of it in ksoftirqd', *(figure(room.get(e, []), SOFTIRQD).short() for e in names)]])
    if 'select' in names:
        text += '\nn/a: select has no descriptors above 1,023, so no run was made.\n'
    for percent_ in sorted({p for p, _ in by}):
        lines = []
        for e in names:
            points = [(n, figure(own[e], *cost).median / 1e3)
                      for (p, n), own in sorted(by.items())
                      if p == percent_ and e in own and figure(own[e], *cost)]
            if len(points) > 1:
                lines.append((e, points))
        if lines:
            text += plot(f'engines-{percent_}', plots.curves,
                         f'CPU per message, {active(percent_)}', 'connected clients',
                         'us of CPU per message', lines, log='xy')
    return text


def load_title(percent_, clients):
    return f'{clients:,} clients, {active(percent_)}'


def in_softirqd(by, names):
    """Where a hundredth of the cost or more is not the processes'."""
    told, seen = [], False
    for engine in names:
        for (percent_, clients), own in sorted(by.items()):
            aside, cost = (figure(own.get(engine, []), what)
                           for what in (SOFTIRQD_MESSAGE, CPU_MESSAGE))
            seen = seen or bool(aside)
            if aside and cost and aside.median >= cost.median / 100:
                told.append(f'{engine} with {load_title(percent_, clients)} '
                            f'{aside.short(1e3, 1)} us')
    if not seen:
        return ''
    return ('\nOf it in ksoftirqd, where that is a hundredth or more: '
            f'{"; ".join(told) or "nowhere"}.\n')


def against_epoll(by, names):
    """Where an engine needs twice the CPU of epoll or more, and where it does not
    matter which is used."""
    text = ''
    for engine in names:
        times = {}
        for (percent_, clients), own in sorted(by.items()):
            found = engine_ratio(own, engine)
            if engine != 'epoll' and found:
                times[load_title(percent_, clients)] = found.median
        if times:
            bad = [f'{k} ({v:,.1f} x)' for k, v in times.items() if v >= 2]
            same = [f'{k} ({v:,.2f} x)' for k, v in times.items() if v <= 1.25]
            text += (f'\n{engine}, CPU against epoll: twice or more with '
                     f'{"; ".join(bad) or "none of these loads"}. At most 1.25 times with '
                     f'{"; ".join(same) or "none of them"}.\n')
    return text


def engine_ratio(own, engine):
    return ratio(own.get(engine, []), own.get('epoll', []), CPU_MESSAGE)


def active(percent_):
    return 'one active' if percent_ == 0 else f'{percent_} % active'


# ---- latency over load ----------------------------------------------------------

def peers(records, _head, plot):
    rows, lines = [], {'p50': [], 'p99': []}
    steps = [r for r in records if r['values'].get('percent') is not None]
    most = group([r for r in records if r['values'].get('percent') is None], 'server')
    for server, own in group(steps, 'server').items():
        for key, of_key in sorted(group(own, 'key').items()):
            rows.append([f'{server} {int(key)} %',
                         figure(of_key, 'rates', 'deliveries_per_s').short(),
                         *(figure(of_key, 'latency', p).text(1e6, 2) for p in ('p50', 'p99')),
                         figure(of_key, CPU).short(), figure(of_key, SOFTIRQD).short(),
                         percent(figure(of_key, BUSY)), runs(of_key)])
        for p, found in lines.items():
            points = [(figure(k, 'rates', 'deliveries_per_s').median / 1e3,
                       figure(k, 'latency', p).median / 1e6)
                      for _, k in sorted(group(own, 'key').items()) if figure(k, 'latency', p)]
            if points:
                found.append((server, points))
    text = 'The maximum, 8 messages of the one publisher in flight:\n\n'
    text += table(['server', 'deliveries/s', 'server CPU', 'loader CPU'], [
        [s, figure(own, 'rates', 'deliveries_per_s').short(),
         percent(figure(own, BUSY)),
         percent(figure(own, 'loader', 'cpu_share_max'))] for s, own in most.items()])
    text += '\nAt a fixed rate, latency from the time when a message should have been sent:\n\n'
    text += table(['server, offered', 'deliveries/s', 'p50, ms', 'p99, ms',
                   'CPU per delivery, ns', 'of it in ksoftirqd', 'server CPU', 'runs'], rows)
    text += processes_only(steps)
    for p, found in lines.items():
        if found:
            text += plot(f'latency-{p}', plots.curves, f'Latency, {p}, over the load',
                         'thousand deliveries per second', f'{p}, ms', found, log='y')
    return text


# ---- a million ------------------------------------------------------------------

def per_client(runs_):
    """Bytes of the kernel and of user space, of one client of a million."""
    return (Figure(m['kernel'] / m['clients'] for m in runs_),
            Figure((sum(b for _, b in m['pss']) - m['pss_before']) / m['clients']
                   for m in runs_))


def million(records, _head, _plot):
    rows, by = [], group(records, 'server')
    bare, _ = per_client([r['million'] for r in counted(by.get('bare pair', []))])
    for server, own in by.items():
        done = [r['million'] for r in counted(own)]
        def of(value, found=done):
            return Figure(value(m) for m in found)
        kernel, pss = per_client(done)
        rows.append([server,
                     of(lambda m: m['clients']).short(), of(lambda m: m['processes']).short(),
                     of(lambda m: m['connect_s']).text(digits=1),
                     of(lambda m: m['kernel'] / 1024 ** 3).text(digits=2),
                     kernel.short(), pss.short(),
                     f'{kernel.median - bare.median + pss.median:,.0f}' if pss and bare else '-',
                     of(lambda m: m['messages'][0]['last_s']).text(digits=2),
                     of(lambda m: min(x['last_s'] for x in m['messages'])).text(digits=2),
                     of(lambda m: m['cpu_ns'] / sum(x['deliveries'] for x in m['messages'])
                        ).short(), runs(own)])
    return table(['server', 'clients', 'processes', 'connecting, s', 'kernel, GiB',
                  'kernel per client, bytes', 'PSS per client, bytes',
                  "PSS + kernel beyond the bare pair's", 'first message to all, s',
                  'best of three, s', 'CPU per delivery, ns',
                  'runs'], rows) + (
        '\nIn a network namespace of its own; clients and server share all CPUs, and CPU is of '
        "the server's processes alone. The kernel's memory is both ends of each "
        'connection.\n')


BY_NAME = {
    'fanout': ('One message at a time to 1,000 members',
               cpu_section('One message at a time to 1,000 members', 'fanout')),
    'manypubs': ('Eight publishers, 1,000 members, saturated',
                 cpu_section('Eight publishers, 1,000 members, saturated', 'manypubs', True)),
    'fanout10k': ('One message at a time to 10,000 members',
                  cpu_section('One message at a time to 10,000 members', 'fanout10k')),
    'two-workers': ('Two workers against one, and the bus', two_workers),
    'idle': ('Memory of idle clients', idle),
    'slow': ('One per cent of 300 members stop reading', slow),
    'engines': ('The engines', engines),
    'peers': ('Latency over the offered load', peers),
    'million': ('A million clients', million),
}

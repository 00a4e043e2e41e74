# A million connected clients in one room, and one message to all of them:
# banter against the bare pair of programs that only connect, accept and send.
#
# It runs in a network namespace of its own, so that every setting of the network
# that it needs is its own and goes with it; nothing of the host is changed.  As
# many workers as the limit of descriptors needs share the clients.  Memory is
# looked at before and all the time, and what was started is ended when less than
# the floor is left.
#
# SPDX-License-Identifier: MIT
import os
import resource
import signal
import subprocess
import threading
import time

from . import machine, process
from .process import Failed
from .servers import Banter, Server, read_ports
from .tool import say

CLONE_NEWNET = 0x40000000

# Measured on 6.18: a loopback pair costs 7.9 KiB, both ends in an epoll; some
# 2 KiB more for what is on its way, and what banter keeps for a client.
KIB_PER_CLIENT = 11
# Descriptors of a worker that are no clients, and what the spread of the
# kernel's hash over the listeners needs: six standard deviations.
SPARE = 0.05


def own_network():
    """A network namespace of our own, with a loopback that is up."""
    if process.libc.unshare(CLONE_NEWNET) == -1:
        raise Failed('a million clients need a network namespace, which only root may '
                     'make here')
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
    for name, value in (('core/somaxconn', '65535'),
                        ('ipv4/tcp_max_syn_backlog', '65535'),
                        ('ipv4/ip_local_port_range', '10000 65000')):
        with open(f'/proc/sys/net/{name}', 'w', encoding='ascii') as f:
            f.write(value)


def kernel_bytes():
    """What the kernel has for loopback's both ends and for the processes."""
    kernel, _ = machine.kernel_bytes()
    return kernel + 1024 * sum(machine.meminfo(k) for k in ('PageTables', 'Percpu'))


class Guard:
    """Ends our own processes when the machine runs out of memory."""

    def __init__(self, floor_mib):
        self.floor, self.lowest, self.hit = floor_mib, machine.memory_available_mib(), False
        self.processes = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.over.wait(0.25):
            left = machine.memory_available_mib()
            self.lowest = min(self.lowest, left)
            if left < self.floor and not self.hit:
                self.hit = True
                for p in self.processes:
                    for pid in reversed(process.tree(p.pid)):
                        try:
                            os.kill(pid, signal.SIGKILL)
                        except ProcessLookupError:
                            pass

    def end(self):
        self.over.set()
        self.thread.join()


class Many(Server):
    """The server half of the bare pair."""
    name, group, adapter = 'bare pair', 'floor', 'line'

    def __init__(self, settings, processes, each):
        super().__init__(settings)
        self.processes, self.each = processes, each

    def cpus(self):
        return self.settings.cpus

    def launch(self):
        self.process = process.start(
            [self.settings.program('bench/sendfloor/sendfloor'), '-k', str(self.processes),
             '-n', str(self.each)], self.cpus(), self.log, stdout=subprocess.PIPE,
            stdin=subprocess.PIPE)
        self.address = f'127.0.0.1:{read_ports(self.process.stdout)[""]}'

    def say(self, _crowd, text):
        self.process.stdin.write(text.encode() + b'\n')
        self.process.stdin.flush()

    def expected(self, clients):
        return clients


class Room(Banter):
    """banter with so many workers, spoken to in its raw mode: the bytes of a
    message are then the same as the bare pair's."""

    def say(self, crowd, text):
        crowd.stdin.write(f'say {text}\n'.encode())
        crowd.stdin.flush()

    def expected(self, clients):
        return clients - 1


def hard_limit():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def plan(settings):
    hard = hard_limit()
    each = int(hard * (1 - SPARE))
    processes = max(2, -(-settings.million // each))
    need = settings.million * KIB_PER_CLIENT // 1024 + settings.memory_floor
    return processes, hard - 100, need


def connect(settings, server, processes, guard):
    """The clients; its first line says how many are connected."""
    crowd = process.start(
        [settings.program('bench/crowd'), '-p', server.address.rpartition(':')[2],
         '-k', str(processes), '-n', str(settings.million), '-m', str(settings.memory_floor)],
        settings.cpus, server.log, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    guard.processes.append(crowd)
    return crowd


def message(server, crowd, clients, text):
    """Seconds until the first and the last had it."""
    expected = server.expected(clients)
    since = time.monotonic_ns()
    server.say(crowd, text)
    crowd.stdin.write(f'expect {expected} 120\n'.encode())
    crowd.stdin.flush()
    words = process.read_line(crowd.stdout, 180).split()
    if words[:1] != ['GOT'] or int(words[1]) != expected or int(words[5]):
        raise Failed(f'{expected} deliveries were expected, and it is "{" ".join(words)}"')
    return {'deliveries': expected, 'first_s': (int(words[2]) - since) / 1e9,
            'last_s': (int(words[3]) - since) / 1e9}


def settled(server, clients):
    """Until the server has accepted all: connect() ends before accept()."""
    if not isinstance(server, Banter):
        time.sleep(1)
        return
    until, there = time.monotonic() + 300, 0
    while time.monotonic() < until:
        there = server.metrics().get('clients', 0)
        if there >= clients:
            return
        time.sleep(0.2)
    raise Failed(f'{there} of {clients} connections were accepted within 300 s')


def why(server):
    """What the server itself knows of what went wrong."""
    text = server.log_tail()
    if isinstance(server, Banter):
        told = server.metrics()
        text += '; ' + ', '.join(f'{k} {told[k]}' for k in sorted(told) if told[k] and (
            'closed' in k or 'deaths' in k or k in ('clients', 'missed', 'deliveries')))
    return text


def measure(settings, server, processes):
    guard = Guard(settings.memory_floor)
    found = {'clients': settings.million, 'processes': processes}
    crowd = None
    try:
        with server:
            guard.processes.append(server.process)
            machine.settled_slab(60)
            before, pss = kernel_bytes(), sum(process.pss(p) for p in process.tree(server.pid))
            crowd = connect(settings, server, processes, guard)
            words = process.read_line(crowd.stdout, 600).split(maxsplit=2)
            if words[0] != 'CONNECTED':
                raise Failed(f'after {words[1]} connections: {words[2]}')
            found['connect_s'] = float(words[2])
            settled(server, settings.million)
            found['kernel'] = kernel_bytes() - before
            found['pss'] = [(process.title(p), process.pss(p)) for p in process.tree(server.pid)]
            found['pss_before'] = pss
            cpu = process.cpu_ns(process.tree(server.pid))
            try:
                found['messages'] = [message(server, crowd, settings.million, 'x' * 63)
                                     for _ in range(3)]
            except Failed as e:
                raise Failed(f'{e}{why(server)}') from e
            found['cpu_ns'] = process.cpu_ns(process.tree(server.pid)) - cpu
            # The clients go first: who closes first keeps the port in TIME-WAIT.
            process.stop(crowd)
    finally:
        if crowd:
            process.stop(crowd)
        guard.end()
        found['lowest_mib'] = guard.lowest
    if guard.hit:
        raise Failed(f'ended: less than {settings.memory_floor} MiB were left')
    return found


def run(settings, store, bench):
    processes, each, need = plan(settings)
    if machine.memory_available_mib() < need:
        raise Failed(f'{settings.million} clients need {need} MiB of memory, and '
                     f'{machine.memory_available_mib()} are available')
    if processes > 64:
        raise Failed(f'{processes} workers would be needed, and banterd has 64 at most: '
                     'raise the hard limit of open files')
    own_network()
    servers = (lambda: Many(settings, processes, each),
               lambda: Room(settings, 'epoll', raw=True, workers=processes,
                            cpus=settings.cpus,
                            # Each worker gets its share of it, and more than
                            # that are spread to some.
                            max_clients=processes * hard_limit()))
    rounds = 1 if settings.million > 200_000 else settings.few_rounds()
    number = 0
    for round_ in range(rounds):
        for make in servers:
            number += 1
            server = make()
            record = {'part': 'million', 'number': number, 'round': round_, 'void': False,
                      'server': server.name, 'group': server.group, 'key': 'million',
                      'name': f'{number:04d}-{server.group}',
                      'configuration': server.configuration()}
            try:
                record['million'] = measure(settings, server, processes)
                m = record['million']
                say(f'  round {round_ + 1} {server.name:<18} connected in '
                    f'{m["connect_s"]:.1f} s, a message to all in '
                    f'{m["messages"][0]["last_s"]:.2f} s')
            except Failed as e:
                record['failed'] = str(e)
                say(f'  round {round_ + 1} {server.name}: FAILED {e}')
            record['counts'] = 'failed' not in record
            store.save('million', record['name'], record)

# Processes: started on their CPUs, looked at, and ended by their numbers only.
#
# SPDX-License-Identifier: MIT
import ctypes
import os
import resource
import select
import signal
import socket
import subprocess
import threading
import time
from statistics import median

from .machine import kernel_bytes, slurp, tcp_sockets

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """Something could not be measured; the text says why."""


def prepare(cpus, fifo=False):
    """For the child, before exec: its CPUs, its descriptors, and that it ends
    when we die.  With fifo, whatever else there is to run waits for it, if we
    may; the kernel leaves 5 % of a second to the others in any case."""
    def run():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if cpus:
            os.sched_setaffinity(0, cpus)
        if fifo:
            try:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
            except OSError:
                pass    # is_fifo() tells
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return run


def is_fifo(pid):
    try:
        return os.sched_getscheduler(pid) == os.SCHED_FIFO
    except OSError:
        return False


def start(command, cpus, log, env=None, stdout=None, pass_fds=(), stdin=subprocess.DEVNULL,
          fifo=False):
    with open(log, 'ab') as sink:
        try:
            return subprocess.Popen(
                command, stdin=stdin, stdout=stdout or sink, stderr=sink,
                env={**os.environ, **(env or {})}, pass_fds=pass_fds,
                preexec_fn=prepare(cpus, fifo))
        except OSError as e:
            raise Failed(f'{command[0]}: {e.strerror}') from e


def read_line(f, seconds):
    """A line of a pipe (unbuffered, bytes), or Failed."""
    until = time.monotonic() + seconds
    line = b''
    while not line.endswith(b'\n'):
        left = until - time.monotonic()
        if left <= 0 or not select.select([f], [], [], left)[0]:
            raise Failed(f'no answer within {seconds:g} s')
        byte = os.read(f.fileno(), 1)
        if not byte:
            raise Failed('ended instead of answering')
        line += byte
    return line.decode().strip()


def free_port():
    """A port that nobody has now.  Somebody may take it before the server does,
    which then says so and is started again."""
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_port(port, process, seconds=30):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise Failed(f'ended with {process.returncode} at its start')
        try:
            socket.create_connection(('127.0.0.1', port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise Failed(f'did not listen within {seconds} s')


def children(pid):
    found = []
    try:
        for task in os.listdir(f'/proc/{pid}/task'):
            found += [int(p) for p in slurp(f'/proc/{pid}/task/{task}/children').split()]
    except OSError:
        pass
    return found


def tree(pid):
    """The process and all that descend from it."""
    found = [pid]
    for p in found:
        found += children(p)
    return found


def stop(process, number=signal.SIGTERM, seconds=10):
    """End it and, should one stay, what it has left behind."""
    pids = tree(process.pid)[1:]
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for pid in pids:
        until = time.monotonic() + 2
        start_time = began(pid)
        while start_time and began(pid) == start_time:
            if time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)
                break
            time.sleep(0.01)


def began(pid):
    """When it started, or None: a number alone may be somebody else's by now."""
    stat = slurp(f'/proc/{pid}/stat')
    fields = stat.rpartition(')')[2].split()
    return fields[19] if len(fields) > 19 and fields[0] != 'Z' else None


def cpu_ns(pids):
    """CPU time of all threads that live."""
    total = 0
    for pid in pids:
        try:
            for task in os.listdir(f'/proc/{pid}/task'):
                text = slurp(f'/proc/{pid}/task/{task}/schedstat')
                total += int(text.split()[0]) if text else 0
        except OSError:
            pass
    return total


def title(pid):
    args = slurp(f'/proc/{pid}/cmdline').replace('\0', ' ').strip()
    return args or slurp(f'/proc/{pid}/comm')


def pss(pid):
    """Bytes: its own pages and its share of those that it has with others."""
    for line in slurp(f'/proc/{pid}/smaps_rollup').splitlines():
        if line.startswith('Pss:'):
            return int(line.split()[1]) * 1024
    return 0


class MemoryWatch:
    """Looks at the memory of a tree, and at the kernel's, every so often, since
    who measures from outside does not know when all clients are there: what counts
    are the looks at which the machine had the most TCP sockets."""

    def __init__(self, pid, every=0.2):
        self.pid, self.every = pid, every
        self.first = self.look()
        self.looks = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def look(self):
        kernel, source = kernel_bytes()
        return {'kernel': kernel, 'source': source, 'sockets': tcp_sockets(),
                'pss': [(title(p), pss(p)) for p in tree(self.pid)]}

    def run(self):
        while not self.over.wait(self.every):
            self.looks.append(self.look())

    def end(self):
        self.over.set()
        self.thread.join()
        return {'before': self.first, 'after': self.fullest()}

    def fullest(self):
        """The last of the looks at all clients, with the median of what the kernel
        had at these: its counts come and go with what else it does."""
        looks = self.looks or [self.first]
        most = max(look['sockets'] for look in looks)
        full = [look for look in looks if look['sockets'] >= 0.999 * most]
        return {**full[-1], 'kernel': median(look['kernel'] for look in full),
                'looks': len(full)}

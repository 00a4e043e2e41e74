# The same fixed share of a CPU for each worker, by the kernel's control of CPU
# bandwidth: so a machine with two CPUs has room for two workers and the loader.
#
# SPDX-License-Identifier: MIT
import glob
import os

from . import process
from .machine import slurp
from .process import Failed
from .servers import Banter

# Short, so that no message waits for long; the kernel's default is 100 ms.
PERIOD_US = 5000
NAME = 'banter-bench-'


class Controller:
    """Where groups with a share are made: version 1 or 2 of cgroups."""

    def __init__(self):
        self.root, self.version = find()
        self.enabled = False
        sweep(self.root)

    def open(self):
        """Failed when no group can be made here: not root, or a container."""
        try:
            if self.version == 2:
                self.enable()
            group = Group(self, 'probe', 0.5)
            group.remove()
        except OSError as e:
            self.close()
            raise Failed(f'no group below {self.root} can be made: {e.strerror}') from e
        return self

    def enable(self):
        control = os.path.join(self.root, 'cgroup.subtree_control')
        if 'cpu' not in slurp(control).split():
            put(control, '+cpu')
            self.enabled = True

    def close(self):
        """Leave all as it was."""
        sweep(self.root)
        if self.enabled:
            put(os.path.join(self.root, 'cgroup.subtree_control'), '-cpu')
            self.enabled = False


class Group:
    def __init__(self, controller, name, share):
        self.path = os.path.join(controller.root, f'{NAME}{os.getpid()}-{name}')
        quota = int(PERIOD_US * share)
        os.mkdir(self.path)
        try:
            if controller.version == 2:
                put(self.file('cpu.max'), f'{quota} {PERIOD_US}')
            else:
                put(self.file('cpu.cfs_period_us'), PERIOD_US)
                put(self.file('cpu.cfs_quota_us'), quota)
        except OSError:
            self.remove()
            raise

    def file(self, name):
        return os.path.join(self.path, name)

    def add(self, pid):
        put(self.file('cgroup.procs'), pid)

    def stat(self):
        """Periods in which somebody ran, and in how many the share was used up."""
        words = [line.split() for line in slurp(self.file('cpu.stat')).splitlines()]
        found = {name: int(value) for name, value in words}
        return {'periods': found.get('nr_periods', 0), 'throttled': found.get('nr_throttled', 0)}

    def remove(self):
        os.rmdir(self.path)


def put(path, value):
    with open(path, 'w', encoding='ascii') as f:
        f.write(str(value))


def find():
    """The folder and the version of the controller of CPU time."""
    for line in slurp('/proc/mounts').splitlines():
        _, where, kind, options = line.split()[:4]
        if kind == 'cgroup' and 'cpu' in options.split(','):
            return where, 1
        if kind == 'cgroup2' and 'cpu' in slurp(os.path.join(where,
                                                             'cgroup.controllers')).split():
            return where, 2
    raise Failed('no cgroup here controls CPU time')


def sweep(root):
    """Remove what this run, or one that was killed, has left behind."""
    for path in glob.glob(os.path.join(root, NAME + '*-*')):
        pid = os.path.basename(path).removeprefix(NAME).split('-')[0]
        if pid == str(os.getpid()) or not os.path.exists(f'/proc/{pid}'):
            try:
                os.rmdir(path)
            except OSError:
                pass    # somebody is in it: not ours to end


class SharedBanter(Banter):
    """Each worker on a CPU of its own, of which it has this share.  The master
    and the keepers have what they want."""

    def __init__(self, settings, controller, share, **more):
        super().__init__(settings, **more)
        self.controller, self.share, self.groups = controller, share, []

    def launch(self):
        super().launch()
        workers = [pid for pid in process.tree(self.pid)
                   if process.title(pid).startswith('banterd: worker')]
        if len(workers) != self.workers:
            raise Failed(f'{len(workers)} processes call themselves a worker, '
                         f'not {self.workers}')
        try:
            for i, pid in enumerate(workers):
                os.sched_setaffinity(pid, {self.cpus()[i]})
                self.groups.append(Group(self.controller, i, self.share))
                self.groups[i].add(pid)
        except OSError as e:
            raise Failed(f'a share of a CPU for a worker: {e.strerror}') from e

    def used(self):
        told = self.metrics()
        return {'groups': [g.stat() for g in self.groups],
                'lines_per_send': told['deliveries'] / max(told['sends'], 1)}

    def __exit__(self, *_):
        super().__exit__()
        while self.groups:
            try:
                self.groups.pop().remove()
            except OSError:
                pass    # what is left of it is swept up at the end

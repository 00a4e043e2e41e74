# What the reader has to know of the machine, and how quiet it was.
#
# SPDX-License-Identifier: MIT
import glob
import os
import platform
import subprocess
import time

from .settings import TOP


def slurp(path, default=''):
    try:
        with open(path, encoding='utf-8', errors='replace') as f:
            return f.read().strip()
    except OSError:
        return default


def said(*command):
    """The first line that a command says, or ''."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30,
                              cwd=TOP, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ''
    return (done.stdout.strip().splitlines() or [''])[0]


def cpu_model():
    for line in slurp('/proc/cpuinfo').splitlines():
        if line.startswith('model name'):
            return line.split(':', 1)[1].strip()
    return platform.machine()


def meminfo(key):
    """KiB, or 0."""
    for line in slurp('/proc/meminfo').splitlines():
        if line.startswith(key + ':'):
            return int(line.split()[1])
    return 0


def memory_available_mib():
    return meminfo('MemAvailable') // 1024


# What connections, their descriptors and their readers are made of.  The other
# caches grow with what anybody reads, our own looks into /proc before all.
CACHES = ('TCP', 'sock_inode_cache', 'filp', 'lsm_', 'eventpoll_', 'ep_head', 'io_',
          'kmalloc-', 'task_struct', 'signal_cache', 'vm_area_struct', 'anon_vma',
          'maple_node')


def kernel_bytes():
    """What the kernel has for connections and threads, and whence that is known:
    slabinfo, which only root may read, or all of Slab."""
    stacks = meminfo('KernelStack') * 1024
    caches = {}
    for line in slurp('/proc/slabinfo').splitlines()[2:]:
        name, active, _, size = line.split()[:4]
        caches[name] = (int(active), int(size))
    if 'sock_inode_cache' not in caches:
        return meminfo('Slab') * 1024 + stacks, 'Slab'
    total = sum(n * size for name, (n, size) in caches.items() if name.startswith(CACHES))
    # Each socket has a directory entry, among very many others.
    return (total + stacks + caches['sock_inode_cache'][0] * caches['dentry'][1],
            'slabinfo')


def tcp_sockets():
    """Sockets of TCP that are in use, on both ends."""
    for line in slurp('/proc/net/sockstat').splitlines():
        if line.startswith('TCP:'):
            return int(line.split()[2])
    return 0


def settled_slab(seconds=20):
    """KiB of the kernel's Slab when it has stopped to shrink: the sockets of the
    run before are freed after their processes have ended."""
    until = time.monotonic() + seconds
    last = meminfo('Slab')
    while time.monotonic() < until:
        time.sleep(0.3)
        now = meminfo('Slab')
        if now > last - 200:
            break
        last = now
    return meminfo('Slab')


def revision():
    commit = said('git', 'rev-parse', '--short=12', 'HEAD')
    dirty = said('git', 'status', '--porcelain', '--', 'src', 'bench')
    return (commit + (' with changes' if dirty else '')) if commit else 'unknown'


def threads_of_one_core(cpus):
    """Whether two of them share a core; None when that is not told."""
    cores = [slurp(f'/sys/devices/system/cpu/cpu{c}/topology/thread_siblings_list')
             for c in cpus]
    return len(set(cores)) < len(cores) if all(cores) else None


def facts(settings):
    mitigations = {os.path.basename(p): slurp(p) for p in
                   sorted(glob.glob('/sys/devices/system/cpu/vulnerabilities/*'))}
    return {
        'date': time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime()),
        'kernel': platform.release(),
        'cpu': cpu_model(),
        'cpus': len(settings.cpus),
        'threads_of_one_core': threads_of_one_core(settings.cpus[:2]),
        'congestion_control': slurp('/proc/sys/net/ipv4/tcp_congestion_control', 'not known'),
        'memory_mib': meminfo('MemTotal') // 1024,
        'governor': slurp('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor',
                          'none: the host decides'),
        'hypervisor': 'hypervisor' in slurp('/proc/cpuinfo'),
        'mitigations': mitigations,
        'cmdline': slurp('/proc/cmdline'),
        'nofile_hard': slurp('/proc/self/limits').split('Max open files')[-1].split()[1],
        'debian': slurp('/etc/debian_version'),
        'compiler': said('gcc', '--version'),
        'python': platform.python_version(),
        'revision': revision(),
        'configured': slurp(settings.program('configured-with')),
        'cflags': cflags(settings),
        'server_cpus': settings.server_cpus(), 'loader_cpus': settings.loader_cpus(),
        'rounds': settings.rounds, 'seconds': settings.seconds, 'kind': settings.kind,
    }


def cflags(settings):
    for line in slurp(settings.program('Makefile')).splitlines():
        if line.startswith('CFLAGS = '):
            return line[9:]
    return ''


def jiffies():
    """(all, busy, stolen) of all CPUs."""
    f = [int(x) for x in slurp('/proc/stat').splitlines()[0].split()[1:9]]
    return sum(f), sum(f) - f[3] - f[4], f[7]


class Noise:
    """What ran beside us: the load at the beginning, CPU time stolen by the
    hypervisor, and the spread of a loop that does the same each time."""

    def __init__(self):
        self.load = os.getloadavg()[0]
        self.before = jiffies()
        self.loops = sorted(self.loop() for _ in range(20))

    @staticmethod
    def loop():
        since = time.perf_counter_ns()
        x = 0
        for i in range(100_000):
            x += i
        return time.perf_counter_ns() - since

    def end(self):
        now = jiffies()
        ticks = max(now[0] - self.before[0], 1)
        return {'load_before': self.load,
                'stolen': (now[2] - self.before[2]) / ticks,
                'loop_spread': self.loops[-2] / self.loops[0] - 1}

# How large and how long, and where everything is.
#
# SPDX-License-Identifier: MIT
import os
from dataclasses import dataclass, field

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@dataclass
class Settings:
    build: str                  # where the programs are
    out: str                    # where results go: build/bench
    rounds: int = 5
    seconds: float = 0.8        # of one measured run; fanout and fanout10k: 2.5 times that
    warmup: float = 0.2
    patience: int = 20          # seconds without progress until the rest is lost
    small: int = 1000           # members of the usual room
    large: int = 10000
    idle: int = 18000           # with 20,000 descriptors for a process
    million: int = 1_000_000
    memory_floor: int = 3072    # MiB that have to stay available
    peers: bool = True          # Debian's servers and the Python ones
    engines: tuple = ('epoll', 'io_uring', 'poll', 'select', 'threads')
    cpus: list = field(default_factory=lambda: sorted(os.sched_getaffinity(0)))
    kind: str = 'default'
    keep_going: bool = True

    def quick(self):
        self.kind, self.rounds, self.seconds, self.warmup = 'quick', 2, 0.5, 0.2

    def tiny(self):
        """For the test of this program: seconds in all, figures of no use."""
        self.kind, self.rounds, self.seconds, self.warmup = 'tiny', 1, 0.2, 0.1
        self.small = self.large = self.idle = 20
        self.million = 40
        self.patience = 5

    def program(self, path):
        return os.path.join(self.build, path)

    def few_rounds(self):
        """For parts with very many cases."""
        return min(self.rounds, 3)

    def close_rounds(self, part):
        """For differences of a few per cent, which each start of a server moves: by a
        tenth on a virtual machine, and fanout's runs are the shorter ones."""
        more = 16 if part == 'fanout' else 4
        return self.rounds + (more if self.kind == 'default' else 0)

    # The server has a CPU of its own, the loader another; with one CPU they
    # share it, and the report says so.

    def server_cpus(self, workers=1):
        if workers > 1 and len(self.cpus) >= 2:
            return self.cpus[:workers]
        return self.cpus[:1]

    def loader_cpus(self, workers=1):
        rest = self.cpus[max(workers, 1):]
        if workers > 1:
            return rest or self.cpus
        return rest[:1] or self.cpus

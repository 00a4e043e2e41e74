# What is measured: banter, the floor, and the classic servers in Python.
#
# A server is started anew for each run, on its CPUs, and says where it listens.
#
# SPDX-License-Identifier: MIT
import os
import shutil
import signal
import subprocess
import tempfile

from . import process
from .process import Failed
from .settings import TOP


class Server:
    name = ''           # in file names and tables
    adapter = 'line'    # what banter-bench speaks to it
    group = 'peer'      # floor, banter, peer: the order and colour in a plot
    stop_signal = signal.SIGTERM
    options = ()        # of banter-bench, for this server only

    def __init__(self, settings):
        self.settings = settings
        self.process = None
        self.address = None
        self.dir = None

    def version(self):
        return ''

    def configuration(self):
        """What the report shows of its settings."""
        return ''

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix='banter-bench-', dir='/tmp')
        # Daemons that root starts become somebody else.
        os.chmod(self.dir, 0o755)
        try:
            self.launch()
        except Failed as e:
            log = self.log_tail()
            self.__exit__()
            raise Failed(f'{self.name}: {e}{log}') from e
        return self

    def __exit__(self, *_):
        if self.process:
            process.stop(self.process, self.stop_signal)
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir = None

    def log_tail(self):
        try:
            with open(self.log, encoding='utf-8', errors='replace') as f:
                text = f.read().strip()
        except OSError:
            text = ''
        return f'; it said: {text[-400:]}' if text else ''

    @property
    def log(self):
        return os.path.join(self.dir, 'log')

    @property
    def pid(self):
        return self.process.pid

    def cpus(self):
        return self.settings.server_cpus()

    def announced(self, command, env=None):
        """Start what says "LISTEN name address port" and "READY" on its
        standard output; the port."""
        self.process = process.start(command, self.cpus(), self.log, env=env,
                                     stdout=subprocess.PIPE)
        return read_ports(self.process.stdout)['']


def read_ports(f):
    """Ports by the name of the listener; '' is the last."""
    ports = {}
    while True:
        line = process.read_line(f, 60)
        if line == 'READY':
            if not ports:
                raise Failed('listens nowhere')
            return ports
        words = line.split()
        if words[:1] == ['LISTEN']:
            ports[words[1]] = ports[''] = int(words[-1])


class Floor(Server):
    group = 'floor'

    def __init__(self, settings, engine):
        super().__init__(settings)
        self.engine = engine
        self.name = f'floor-{engine}'

    def launch(self):
        program = self.settings.program('bench/sendfloor/sendfloor')
        port = self.announced([program, '-e', {'io_uring': 'uring'}.get(self.engine,
                                                                       self.engine)])
        self.address = f'127.0.0.1:{port}'


class PyChat(Server):
    def __init__(self, settings, model):
        super().__init__(settings)
        self.model = model
        self.name = f'python-{model}'

    def launch(self):
        program = os.path.join(TOP, f'bench/peers/chat_{self.model}.py')
        port = self.announced(['/usr/bin/python3', '-B', program])
        self.address = f'127.0.0.1:{port}'


BANTER_CONF = '''\
workers = {workers}
engine = "{engine}"
run_dir = "{dir}/run"
state_dir = "{dir}/state"
user = "nobody"
group = "nogroup"
max_clients = {max_clients}
listen text {{
	address = {{"127.0.0.1"}}
	port = 0
}}
listen raw {{
	address = {{"127.0.0.1"}}
	port = 0
	mode = "raw"
	room = "bench"
}}
room bench {{
}}
limits {{
	rate = 0
	clients_per_ip = 0
	announce_limit = 1
	output_bytes = {output_bytes}
}}
log {{
	level = "error"
	target = "stderr"
}}
'''


class Banter(Server):
    group = 'banter'
    stop_signal = signal.SIGQUIT

    def __init__(self, settings, engine='epoll', raw=False, workers=1, cpus=None,
                 max_clients=200000, output_bytes='1M', fifo=False):
        super().__init__(settings)
        self.engine, self.workers, self.max_clients_set = engine, workers, max_clients
        self.output_bytes = output_bytes
        self.fifo = fifo
        self.adapter = 'raw' if raw else 'banter'
        self.name = f'banter-{engine}' + ('-raw' if raw else '')
        self.cpu_list = cpus
        self.ports = {}

    def cpus(self):
        return self.cpu_list or super().cpus()

    def configuration(self):
        # A worker with select has no descriptor above 1,023, and says so.
        most = 980 if self.engine == 'select' else self.max_clients_set
        return BANTER_CONF.format(workers=self.workers, engine=self.engine,
                                  dir=self.dir or 'DIR', max_clients=most,
                                  output_bytes=self.output_bytes)

    @property
    def program(self):
        return self.settings.program('src/banterd/banterd')

    def write_conf(self):
        path = os.path.join(self.dir, 'banterd.conf')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(self.configuration())
        return path

    def launch(self):
        # Where a port 0 was written, --ready-fd tells which it became.
        out, ready = os.pipe()
        try:
            self.process = process.start(
                [self.program, '-F', '-c', self.write_conf(), '--ready-fd', str(ready)],
                self.cpus(), self.log, pass_fds=(ready,), fifo=self.fifo)
        finally:
            os.close(ready)
        with os.fdopen(out, 'rb', buffering=0) as f:
            self.ports = read_ports(f)
        port = self.ports['raw' if self.adapter == 'raw' else 'text']
        self.address = f'127.0.0.1:{port}'

    def control(self, *words):
        """What banterctl says."""
        done = subprocess.run(
            [self.settings.program('src/tools/banterctl'), '-s',
             os.path.join(self.dir, 'run', 'control.sock'), *words],
            capture_output=True, text=True, timeout=30, check=False)
        return done.stdout

    def metrics(self):
        """Counters and gauges by name, summed up over the slots."""
        found = {}
        for line in self.control('metrics').splitlines():
            name, _, value = line.partition(' ')
            if not name.startswith('banter_'):
                continue
            name = name.partition('{')[0].removeprefix('banter_').removesuffix('_total')
            found[name] = found.get(name, 0) + int(value)
        return found


def engines_here(settings):
    """Those that this build of banterd knows, in the order of the settings."""
    known = []
    for engine in settings.engines:
        server = Banter(settings, engine)
        server.dir = tempfile.mkdtemp(prefix='banter-bench-', dir='/tmp')
        os.chmod(server.dir, 0o755)
        try:
            path = server.write_conf()
            done = subprocess.run([server.program, '-t', '-c', path],
                                  capture_output=True, check=False)
        except OSError as e:
            raise Failed(f'{server.program}: {e.strerror}; script/bench builds it') from e
        finally:
            shutil.rmtree(server.dir, ignore_errors=True)
        if done.returncode == 0:
            known.append(engine)
    return known

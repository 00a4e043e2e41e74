# Debian's chat servers and brokers, each with a configuration of its own.
#
# Fair means here: no throttle, no limit that the load reaches, nothing kept on
# disk, no look-ups of names, TCP_NODELAY where there is a choice, and everything
# else as the package ships it.  Whatever is set is in the report.
#
# SPDX-License-Identifier: MIT
import glob
import os

from . import debs, process
from .servers import Server


class Broker(Server):
    packages = ()
    program = ''
    conf = ''

    def launch(self):
        root = debs.unpack(self.name, self.packages, self.settings.out)
        port = process.free_port()
        path = os.path.join(self.dir, 'conf')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(self.conf.format(port=port, dir=self.dir, **self.more(root)))
        self.process = process.start(
            [os.path.join(root, self.program), *self.arguments(path)], self.cpus(),
            self.log, env={'LD_LIBRARY_PATH': debs.library_path(root)})
        process.wait_port(port, self.process)
        self.address = f'127.0.0.1:{port}'

    def more(self, _root):
        return {}

    def arguments(self, path):
        raise NotImplementedError

    def configuration(self):
        return self.conf

    def version(self):
        return debs.version(self.name, self.packages[0], self.settings.out)


class Ngircd(Broker):
    name, adapter = 'ngircd', 'irc'
    packages, program = ('ngircd',), 'usr/sbin/ngircd'
    # It listens with a backlog of 10, and who comes when that is full waits for
    # a retransmission.
    options = ('--connect-rate', '400')
    conf = '''\
[Global]
Name = irc.bench.test
Info = bench
Listen = 127.0.0.1
Ports = {port}
MotdPhrase = bench
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxNickLength = 31
MaxPenaltyTime = 0
PingTimeout = 3600
PongTimeout = 3600
[Options]
DNS = no
Ident = no
PAM = no
MorePrivacy = no
'''

    def arguments(self, path):
        return ['-n', '-f', path]


class Inspircd(Broker):
    name, adapter = 'inspircd', 'irc'
    packages, program = ('inspircd',), 'usr/sbin/inspircd'
    conf = '''\
<server name="irc.bench.test" description="bench" network="bench" id="1AA">
<admin name="bench" nick="bench" email="bench@bench.test">
<bind address="127.0.0.1" port="{port}" type="clients">
<connect name="main" allow="*" timeout="3600" pingfreq="3600" recvq="1M"
 hardsendq="512M" softsendq="512M" localmax="1000000" globalmax="1000000"
 maxconnwarn="no" resolvehostnames="no" useident="no" fakelag="no"
 commandrate="1000000000" threshold="1000000" limit="1000000" maxchans="100">
<performance somaxconn="4096" softlimit="1000000" quietbursts="yes"
 clonesonconnect="no" timeskipwarn="0">
<path configdir="{dir}" datadir="{dir}" logdir="{dir}" runtimedir="{dir}" moduledir="{modules}">
<pid file="{dir}/pid">
<log method="file" type="* -USERINPUT -USEROUTPUT" level="sparse" target="{dir}/log">
'''

    def more(self, root):
        # In a folder for the architecture; not the program's helpers of that name.
        core = glob.glob(os.path.join(root, 'usr/lib/**/core_channel.so'), recursive=True)
        return {'modules': os.path.dirname(core[0]) if core else root}

    def arguments(self, path):
        as_root = ['--runasroot'] if os.geteuid() == 0 else []
        return ['--nofork', '--nopid', *as_root, f'--config={path}']


class Mosquitto(Broker):
    name, adapter = 'mosquitto', 'mqtt'
    packages, program = ('mosquitto',), 'usr/sbin/mosquitto'
    conf = '''\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_connections -1
max_queued_messages 0
set_tcp_nodelay true
sys_interval 0
log_type error
log_dest stderr
user root
'''

    def arguments(self, path):
        return ['-c', path]


class Nats(Broker):
    name, adapter = 'nats-server', 'nats'
    packages, program = ('nats-server',), 'usr/sbin/nats-server'
    conf = '''\
host: 127.0.0.1
port: {port}
max_connections: 1000000
max_pending: 536870912
write_deadline: "60s"
ping_interval: "1h"
'''

    def arguments(self, path):
        return ['-c', path]


class Redis(Broker):
    name, adapter = 'redis', 'redis'
    packages, program = ('redis-server', 'redis-tools'), 'usr/bin/redis-server'
    conf = '''\
bind 127.0.0.1
port {port}
tcp-backlog 4096
protected-mode no
daemonize no
dir {dir}
save ""
appendonly no
maxclients 19000
timeout 0
client-output-buffer-limit pubsub 0 0 0
loglevel warning
'''

    def arguments(self, path):
        return [path]


ALL = (Ngircd, Inspircd, Mosquitto, Nats, Redis)

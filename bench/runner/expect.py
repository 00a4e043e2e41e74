# What was expected of each part, written before it was measured.  The report
# prints it above the result, whatever that is: do not mend it afterwards.
#
# SPDX-License-Identifier: MIT

EXPECTED = {
    'fanout': '''\
The kernel's send() to 1,000 sockets that are in the cache costs 1.1 to 1.3 us, of
which the system call itself is 0.08 us. So the bare io_uring loop can be at most
some 7 % below the bare epoll loop, and banter, which has to look at each member
once, should be within 1.2 times the floor of its engine. Brokers that arm and
disarm EPOLLOUT for each delivery pay 0.4 us for it, those that format a message
for each subscriber 0.3 to 1 us; IRC servers and mosquitto should need 1.5 to 5
times the floor, Python 3 to 8 times.''',
    'manypubs': '''\
Whoever writes once for each message pays the floor of the first part here as
well, bare loops included, but for what has piled up in one socket. Whoever
gathers what has come in one turn and writes once for each member pays a fraction:
8 messages in one write cost 0.19 us each, 32 cost 0.07 us. banter, nats and redis
gather and should be *below* the bare loop; IRC servers partly; Python's asyncio,
epoll and select do not.''',
    'fanout10k': '''\
With 10,000 members the kernel's socket objects do not fit into the cache, and a
send costs 3.7 to 3.8 us. What banter adds should not grow beyond some 0.5 us: one
more cache line for each member. io_uring cures none of it.''',
    'two-workers': '''\
Each worker sends to its half of the members, so the server's work for a message
is halved in time and grows by the way over the master: one datagram to it, one
from it to each worker, whatever the number of members. On a machine with two CPUs
the loader runs where the second worker runs; then the gain is far below two, and
the loader is the limit. The bus costs some microseconds for each message and below
one for each further slot.''',
    'idle': '''\
The kernel's 3.6 KiB for a socket, and 0.2 KiB for its registration with epoll or
0.8 KiB for an armed multishot receive of io_uring, are the same for everybody. On
loopback both ends count: 7.7 KiB. Of its own banter should need 200 bytes for a
client or less beside the master's register of names, brokers 1 to 10 KiB, Python
more, and a thread for each client 10 to 20 KiB, most of it in the kernel.''',
    'slow': '''\
Those who read on notice nothing: their p99 moves by less than 10 %. A member that
stops reading costs one failed send, and from then on a place in a list.''',
    'engines': '''\
Where it does not matter: when all are active (the walk over all descriptors finds
work at each), and at 100 clients, where a walk takes 5 us. poll breaks down with
many idle clients and few active: 0.05 us for each idle one of 1,000 and 0.2 to 0.3
us for each of 10,000, where the descriptors do not fit into the cache, so 2 to 3 ms
for one message that epoll handles in microseconds: a factor of a thousand. select
costs the same as poll and ends at descriptor 1,023: no value is given beyond.
Threads do well with few active clients, whatever the number of idle ones, but each
message is a switch of context, 1.2 to 2.2 us, and each client costs 10 to 20 KiB.
io_uring is as flat as epoll and 5 to 25 % cheaper when all are active.''',
    'peers': '''\
Up to some 75 % of the maximum the last member has a message after the time that
the sends before it take, about 1.3 ms for 1,000 members with banter. Near 100 %
queues build up, and above it latency grows with the length of the run, except
where gathering makes a busy server cheaper than an idle one: banter's curve should
bend late. The bare loop gathers only what piles up in the publisher's own
socket.''',
    'million': '''\
A loopback pair with both ends in an epoll costs 7.9 KiB of the kernel's memory:
some 8 GiB in all, the same for banter and the bare pair. banter should add less
than 0.5 KiB for a client. Connecting takes 15 to 30 s. One message to all is a
million sends to cold sockets at 3.8 us on two CPUs, with as many receives at 1.5
us and their wake-ups beside: 3 to 8 s, and banter within 1.5 times the bare
pair.''',
}

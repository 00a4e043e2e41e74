# What the chat servers beside it share: the command line, the listener, lines.
#
# They speak the line protocol: whole lines that one client sends go to all the
# others.  Each is the textbook form of its model, complete: lines that come in
# pieces, clients that leave in the middle of one, clients that read too slowly.
#
# SPDX-License-Identifier: MIT
import argparse
import resource
import socket

LINE_MAX = 65536           # bytes of an unfinished line; more closes the client
OUTPUT_MAX = 1024 * 1024   # bytes that may wait for a client; more closes it
READ = 16384               # bytes of one receive


def listen(blocking=True):
    """A listener on 127.0.0.1 by the command line (--port, 0 is any)."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--port', type=int, default=0)
    port = parser.parse_args().port
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Inherited by what is accepted.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(('127.0.0.1', port))
    listener.listen(4096)
    listener.setblocking(blocking)
    return listener


def ready(listener):
    """Tell who started us where we listen, as banterd --ready-fd does."""
    print(f'LISTEN line 127.0.0.1 {listener.getsockname()[1]}\nREADY', flush=True)


class Lines:
    """Puts lines together from pieces."""

    __slots__ = ('tail',)

    def __init__(self):
        self.tail = b''

    def feed(self, piece):
        """The whole lines there are now, in one piece; raises when one is too
        long."""
        end = piece.rfind(b'\n') + 1
        if not end:
            self.tail += piece
            whole = b''
        elif end == len(piece) and not self.tail:
            return piece
        else:
            whole = self.tail + piece[:end]
            self.tail = piece[end:]
        if len(self.tail) > LINE_MAX:
            raise ValueError('the line is too long')
        return whole

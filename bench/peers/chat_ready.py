# One process that is told which sockets are ready: what the servers by select()
# and by epoll have in common.  A socket is sent to at once, and is waited for
# only while it takes no more.
#
# SPDX-License-Identifier: MIT
from chat_common import OUTPUT_MAX, READ, Lines, listen, ready


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.lines = Lines()
        self.pending = bytearray()
        self.gone = False

    def fileno(self):
        return self.sock.fileno()


class Server:
    """A subclass waits, by turn(), and is told what to wait for: by admit() and
    forget() of a client, by block() and unblock() of its pending output."""

    def __init__(self, listener):
        self.listener = listener
        self.clients = set()
        self.gone = []  # until the end of the turn

    def accept(self):
        try:
            sock, _ = self.listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        sock.setblocking(False)
        self.admit(Client(sock))

    def admit(self, client):
        self.clients.add(client)

    def leave(self, client):
        if not client.gone:
            client.gone = True
            self.gone.append(client)

    def bury(self):
        for client in self.gone:
            self.clients.discard(client)
            self.forget(client)
            client.sock.close()
        self.gone.clear()

    def put(self, client, data):
        if not client.pending:
            try:
                sent = client.sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.leave(client)
                return
            if sent == len(data):
                return
            data = data[sent:]
            self.block(client)
        client.pending += data
        if len(client.pending) > OUTPUT_MAX:
            self.leave(client)

    def write(self, client):
        try:
            sent = client.sock.send(client.pending)
        except BlockingIOError:
            return
        except OSError:
            self.leave(client)
            return
        del client.pending[:sent]
        if not client.pending:
            self.unblock(client)

    def read(self, client):
        try:
            piece = client.sock.recv(READ)
            whole = client.lines.feed(piece)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            piece = whole = b''
        if not piece:
            self.leave(client)
        elif whole:
            for other in self.clients:
                if other is not client:
                    self.put(other, whole)


def serve(kind):
    listener = listen(blocking=False)
    server = kind(listener)
    ready(listener)
    while True:
        server.turn()

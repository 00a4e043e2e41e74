#!/usr/bin/python3
# One process and select(), which knows descriptors below 1,024 only: who would
# get another is told so and closed.
#
# SPDX-License-Identifier: MIT
import select

from chat_common import OUTPUT_MAX, READ, Lines, listen, ready

FD_SETSIZE = 1024


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.lines = Lines()
        self.pending = bytearray()
        self.gone = False

    def fileno(self):
        return self.sock.fileno()


class Server:
    def __init__(self, listener):
        self.listener = listener
        self.clients = set()
        self.waiting = set()  # those with pending output

    def accept(self):
        try:
            sock, _ = self.listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        if sock.fileno() >= FD_SETSIZE:
            sock.send(b'the server is full\n')
            sock.close()
            return
        sock.setblocking(False)
        self.clients.add(Client(sock))

    def put(self, client, data):
        if not client.pending:
            try:
                sent = client.sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                client.gone = True
                return
            if sent == len(data):
                return
            data = data[sent:]
        client.pending += data
        self.waiting.add(client)
        client.gone = client.gone or len(client.pending) > OUTPUT_MAX

    def write(self, client):
        try:
            sent = client.sock.send(client.pending)
        except BlockingIOError:
            return
        except OSError:
            client.gone = True
            return
        del client.pending[:sent]
        if not client.pending:
            self.waiting.discard(client)

    def read(self, client):
        try:
            piece = client.sock.recv(READ)
            whole = client.lines.feed(piece)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            piece = whole = b''
        if not piece:
            client.gone = True
        elif whole:
            for other in self.clients:
                if other is not client:
                    self.put(other, whole)

    def bury(self):
        for client in [c for c in self.clients if c.gone]:
            self.clients.discard(client)
            self.waiting.discard(client)
            client.sock.close()

    def turn(self):
        readable, writable, _ = select.select(
            [self.listener, *self.clients], list(self.waiting), [])
        for client in writable:
            self.write(client)
        for client in readable:
            if client is self.listener:
                self.accept()
            elif not client.gone:
                self.read(client)
        self.bury()


def main():
    listener = listen(blocking=False)
    server = Server(listener)
    ready(listener)
    while True:
        server.turn()


main()

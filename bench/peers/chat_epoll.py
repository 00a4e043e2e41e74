#!/usr/bin/python3
# One process and epoll, by the standard library's selectors.  A socket is sent
# to at once, and its being writable is asked for only while it takes no more.
#
# SPDX-License-Identifier: MIT
import selectors

from chat_common import OUTPUT_MAX, READ, Lines, listen, ready

READABLE = selectors.EVENT_READ
BOTH = selectors.EVENT_READ | selectors.EVENT_WRITE


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.lines = Lines()
        self.pending = bytearray()


class Server:
    def __init__(self, listener):
        self.listener = listener
        self.clients = set()
        self.gone = set()
        self.selector = selectors.EpollSelector()
        self.selector.register(listener, READABLE)

    def accept(self):
        try:
            sock, _ = self.listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        sock.setblocking(False)
        client = Client(sock)
        self.clients.add(client)
        self.selector.register(sock, READABLE, client)

    def put(self, client, data):
        if not client.pending:
            try:
                sent = client.sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.gone.add(client)
                return
            if sent == len(data):
                return
            data = data[sent:]
            self.selector.modify(client.sock, BOTH, client)
        client.pending += data
        if len(client.pending) > OUTPUT_MAX:
            self.gone.add(client)

    def write(self, client):
        try:
            sent = client.sock.send(client.pending)
        except BlockingIOError:
            return
        except OSError:
            self.gone.add(client)
            return
        del client.pending[:sent]
        if not client.pending:
            self.selector.modify(client.sock, READABLE, client)

    def read(self, client):
        try:
            piece = client.sock.recv(READ)
            whole = client.lines.feed(piece)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            piece = whole = b''
        if not piece:
            self.gone.add(client)
        elif whole:
            for other in self.clients:
                if other is not client:
                    self.put(other, whole)

    def turn(self):
        for key, events in self.selector.select():
            client = key.data
            if client is None:
                self.accept()
                continue
            if events & selectors.EVENT_WRITE and client.pending:
                self.write(client)
            if events & selectors.EVENT_READ and client not in self.gone:
                self.read(client)
        for client in self.gone:
            self.clients.discard(client)
            self.selector.unregister(client.sock)
            client.sock.close()
        self.gone.clear()


def main():
    listener = listen(blocking=False)
    server = Server(listener)
    ready(listener)
    while True:
        server.turn()


main()

#!/usr/bin/python3
# One process and epoll, by the standard library's selectors.
#
# SPDX-License-Identifier: MIT
import selectors

import chat_ready

READABLE = selectors.EVENT_READ
BOTH = selectors.EVENT_READ | selectors.EVENT_WRITE


class Server(chat_ready.Server):
    def __init__(self, listener):
        super().__init__(listener)
        self.selector = selectors.EpollSelector()
        self.selector.register(listener, READABLE)

    def admit(self, client):
        super().admit(client)
        self.selector.register(client.sock, READABLE, client)

    def forget(self, client):
        self.selector.unregister(client.sock)

    def block(self, client):
        self.selector.modify(client.sock, BOTH, client)

    def unblock(self, client):
        self.selector.modify(client.sock, READABLE, client)

    def turn(self):
        for key, events in self.selector.select():
            client = key.data
            if client is None:
                self.accept()
                continue
            if events & selectors.EVENT_WRITE and client.pending:
                self.write(client)
            if events & selectors.EVENT_READ and not client.gone:
                self.read(client)
        self.bury()


chat_ready.serve(Server)

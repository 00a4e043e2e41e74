#!/usr/bin/python3
# One process and select(), which knows descriptors below 1,024 only: who would
# get another is told so and closed.
#
# SPDX-License-Identifier: MIT
import select

import chat_ready

FD_SETSIZE = 1024


class Server(chat_ready.Server):
    def __init__(self, listener):
        super().__init__(listener)
        self.waiting = set()  # those with pending output

    def admit(self, client):
        if client.fileno() >= FD_SETSIZE:
            client.sock.send(b'the server is full\n')
            client.sock.close()
        else:
            super().admit(client)

    def forget(self, client):
        self.waiting.discard(client)

    def block(self, client):
        self.waiting.add(client)

    def unblock(self, client):
        self.waiting.discard(client)

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


chat_ready.serve(Server)

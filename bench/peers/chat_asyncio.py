#!/usr/bin/python3
# asyncio, by protocols and transports, which cost less than its streams: a
# transport sends at once and keeps what the socket does not take.
#
# SPDX-License-Identifier: MIT
import asyncio

from chat_common import OUTPUT_MAX, Lines, listen, ready

clients = set()


class Client(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.lines = Lines()
        clients.add(self)

    def data_received(self, data):
        try:
            whole = self.lines.feed(data)
        except ValueError:
            self.transport.abort()
            return
        if not whole:
            return
        for client in clients:
            if client is not self:
                client.put(whole)

    def put(self, data):
        self.transport.write(data)
        if self.transport.get_write_buffer_size() > OUTPUT_MAX:
            self.transport.abort()

    def connection_lost(self, _exc):
        # Called by the loop between other callbacks, never while somebody
        # walks over the clients.
        clients.discard(self)


async def main():
    listener = listen(blocking=False)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Client, sock=listener, backlog=4096)
    ready(listener)
    await server.serve_forever()


asyncio.run(main())

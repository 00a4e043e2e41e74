#!/usr/bin/python3
# A thread for each client.  Who says something writes it to the others himself,
# each under that one's lock.  What a client's socket does not take waits for it,
# and a second thread, which lives only as long, writes it.
#
# SPDX-License-Identifier: MIT
import socket
import threading

from chat_common import OUTPUT_MAX, READ, Lines, listen, ready

clients = {}
clients_lock = threading.Lock()


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.lock = threading.Lock()
        self.pending = bytearray()
        self.writing = False

    def put(self, data):
        """Send, or keep for later what the socket does not take."""
        with self.lock:
            if not self.writing:
                try:
                    sent = self.sock.send(data, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    sent = 0
                except OSError:
                    return  # its own thread sees that it is gone
                if sent == len(data):
                    return
                data = data[sent:]
                self.writing = True
                threading.Thread(target=self.write, daemon=True).start()
            self.pending += data
            if len(self.pending) > OUTPUT_MAX:
                self.shut()

    def write(self):
        while True:
            with self.lock:
                data = bytes(self.pending)
                self.pending.clear()
                if not data:
                    self.writing = False
                    return
            try:
                self.sock.sendall(data)
            except OSError:
                return

    def shut(self):
        """End it: its own thread closes the socket."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def read(self):
        lines = Lines()
        try:
            while piece := self.sock.recv(READ):
                whole = lines.feed(piece)
                if whole:
                    tell_others(self, whole)
        except (OSError, ValueError):
            pass
        with clients_lock:
            del clients[self]
        self.shut()
        self.sock.close()


def tell_others(sender, data):
    # A copy: nobody may come or go while a dictionary is walked, and nobody
    # should have to wait until all have been written to.
    with clients_lock:
        all_clients = list(clients)
    for client in all_clients:
        if client is not sender:
            client.put(data)


def main():
    listener = listen()
    # 8 MiB of address space for each of thousands of threads is too much.
    threading.stack_size(256 * 1024)
    ready(listener)
    while True:
        sock, _ = listener.accept()
        client = Client(sock)
        with clients_lock:
            clients[client] = True
        threading.Thread(target=client.read, daemon=True).start()


main()

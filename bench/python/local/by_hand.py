"""Decoders in Python alone, each with `feed(data)` that gives a list of messages."""

import struct


class Prefixed:
    """A length of four bytes before each message: one loop over what has come, by position."""

    def __init__(self):
        self.rest = b""

    def feed(self, data, unpack_from=struct.Struct(">I").unpack_from):
        if self.rest:
            data = self.rest + data
        at = 0
        total = len(data)
        messages = []
        append = messages.append
        while total - at >= 4:
            (size,) = unpack_from(data, at)
            end = at + 4 + size
            if end > total:
                break
            append(data[at + 4:end])
            at = end
        self.rest = data[at:]
        return messages


class PrefixedBytearray:
    """The usual one: a `bytearray` that each message is taken and deleted from the front of."""

    def __init__(self):
        self.buffer = bytearray()

    def feed(self, data):
        buffer = self.buffer
        buffer += data
        messages = []
        while len(buffer) >= 4:
            end = 4 + int.from_bytes(buffer[:4], "big")
            if len(buffer) < end:
                break
            messages.append(bytes(buffer[4:end]))
            del buffer[:end]
        return messages


class PrefixedNaive:
    """The same as most people write it first: each message is cut off the front."""

    def __init__(self):
        self.buffer = b""

    def feed(self, data):
        self.buffer += data
        messages = []
        while len(self.buffer) >= 4:
            size = struct.unpack(">I", self.buffer[:4])[0]
            if len(self.buffer) < 4 + size:
                break
            messages.append(self.buffer[4:4 + size])
            self.buffer = self.buffer[4 + size:]
        return messages


class Lines:
    """Lines, by `split`, whose loop is in C."""

    def __init__(self):
        self.rest = b""

    def feed(self, data):
        *messages, self.rest = (self.rest + data).split(b"\n")
        return messages


class LinesLoop:
    """Lines by a loop in Python, which can have a limit and take `\\r\\n`."""

    def __init__(self):
        self.rest = b""

    def feed(self, data):
        if self.rest:
            data = self.rest + data
        at = 0
        messages = []
        while (end := data.find(b"\n", at)) >= 0:
            messages.append(data[at:end])
            at = end + 1
        self.rest = data[at:]
        return messages


class LinesNaive:
    """The same as most people write it first."""

    def __init__(self):
        self.buffer = b""

    def feed(self, data):
        self.buffer += data
        messages = []
        while b"\n" in self.buffer:
            message, self.buffer = self.buffer.split(b"\n", 1)
            messages.append(message)
        return messages

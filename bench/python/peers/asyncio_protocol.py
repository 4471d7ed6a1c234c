"""asyncio's protocols: what has come is parsed in one go and answered with one write. A word after
the framing, `unpack_from`, parses by `struct` instead of `int`; the word `uvloop` runs it on uvloop
instead of asyncio's own loop."""

import asyncio
import struct
import sys

SIZE = struct.Struct(">I")


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.rest = b""

    def data_received(self, data):
        if self.rest:
            data = self.rest + data
        at = 0
        total = len(data)
        replies = []
        while total - at >= 4:
            end = at + 4 + int.from_bytes(data[at:at + 4], "big")
            if end > total:
                break
            message = data[at + 4:end]
            replies.append(len(message).to_bytes(4, "big"))
            replies.append(message)
            at = end
        self.rest = data[at:]
        if replies:
            self.transport.write(b"".join(replies))


class EchoByStruct(Echo):
    def data_received(self, data, unpack_from=SIZE.unpack_from, pack=SIZE.pack):
        if self.rest:
            data = self.rest + data
        at = 0
        total = len(data)
        replies = []
        while total - at >= 4:
            (size,) = unpack_from(data, at)
            end = at + 4 + size
            if end > total:
                break
            message = data[at + 4:end]
            replies.append(pack(len(message)))
            replies.append(message)
            at = end
        self.rest = data[at:]
        if replies:
            self.transport.write(b"".join(replies))


async def main(echo):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(echo, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    words = sys.argv[3:]
    if "uvloop" in words:
        import uvloop

        uvloop.install()
    asyncio.run(main(EchoByStruct if "unpack_from" in words else Echo))

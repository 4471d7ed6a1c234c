"""asyncio's protocols: what has come is parsed in one go and answered with one write."""

import asyncio
import sys


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.rest = b""

    def data_received(self, data):
        data = self.rest + data if self.rest else data
        at = 0
        replies = []
        while len(data) - at >= 4:
            end = at + 4 + int.from_bytes(data[at:at + 4], "big")
            if end > len(data):
                break
            message = data[at + 4:end]
            replies.append(len(message).to_bytes(4, "big"))
            replies.append(message)
            at = end
        self.rest = data[at:]
        if replies:
            self.transport.writelines(replies)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[3:] == ["uvloop"]:
        import uvloop

        uvloop.install()
    asyncio.run(main())

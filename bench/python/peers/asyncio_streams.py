"""asyncio's streams, as the documentation has them. A third word `uvloop` runs it on uvloop."""

import asyncio
import sys


async def by_length(reader, writer):
    try:
        while True:
            prefix = await reader.readexactly(4)
            message = await reader.readexactly(int.from_bytes(prefix, "big"))
            writer.write(prefix + message)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def by_line(reader, writer):
    try:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def main(place, framing):
    converse = by_line if framing == "lines" else by_length
    if place.startswith("unix:"):
        server = await asyncio.start_unix_server(converse, place[len("unix:"):])
        print("ready", flush=True)
    else:
        server = await asyncio.start_server(converse, "127.0.0.1", 0, backlog=1024)
        print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[3:] == ["uvloop"]:
        import uvloop

        uvloop.install()
    asyncio.run(main(*sys.argv[1:3]))

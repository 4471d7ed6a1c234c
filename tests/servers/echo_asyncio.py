"""asyncio's streams, as the documentation has them. PORT u32be|lines"""

import asyncio
import sys


async def messages(reader, writer):
    try:
        while True:
            prefix = await reader.readexactly(4)
            message = await reader.readexactly(int.from_bytes(prefix, "big"))
            writer.write(prefix + message)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def lines(reader, writer):
    try:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def main(port, framing):
    served = {"u32be": messages, "lines": lines}[framing]
    server = await asyncio.start_server(served, "127.0.0.1", port)
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1]), sys.argv[2]))

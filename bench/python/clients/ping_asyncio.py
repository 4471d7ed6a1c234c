"""One message at a time: asyncio's streams."""

import asyncio

import timing


async def main():
    port, warm_up, seconds = timing.arguments()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def request(message):
        writer.write(len(message).to_bytes(4, "big") + message)
        await writer.drain()
        size = int.from_bytes(await reader.readexactly(4), "big")
        return await reader.readexactly(size)

    await timing.measure_async(request, warm_up, seconds)
    writer.close()
    await writer.wait_closed()


asyncio.run(main())

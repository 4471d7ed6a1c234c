"""One message at a time: Switchboard on a loop of asyncio."""

import asyncio

import switchboard.aio as sba
import timing


async def main():
    port, warm_up, seconds = timing.arguments()
    async with sba.connect(f"127.0.0.1:{port}", "u32be") as c:
        await timing.measure_async(c.request, warm_up, seconds)


asyncio.run(main())

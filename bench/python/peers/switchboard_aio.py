"""Switchboard on a loop of asyncio: `recv_many`, `iterating`, or a `handler` of messages, as the
word after the framing says; the word `uvloop` runs it on uvloop."""

import asyncio
import sys

import switchboard.aio as sba


async def handler(message):
    return message


async def recv_many(c):
    while messages := await c.recv_many():
        await c.send_many(messages)


async def iterating(c):
    async for message in c:
        await c.send(message)


FORMS = {"recv_many": recv_many, "iterating": iterating, "handler": handler}


async def main(framing, form):
    async with sba.start("127.0.0.1:0", FORMS[form], framing) as server:
        print(server.endpoints[0].rpartition(":")[2], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    if "uvloop" in sys.argv[4:]:
        import uvloop

        uvloop.install()
    asyncio.run(main(*sys.argv[2:4]))

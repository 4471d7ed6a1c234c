"""Switchboard: `recv_many`, `iterating`, or a handler of messages on `threads`, `events` or
`processes`, as the word after the framing says."""

import sys

import switchboard as sb


def message_by_message(message):
    return message


def recv_many(c):
    while messages := c.recv_many():
        c.send_many(messages)


def iterating(c):
    for message in c:
        c.send(message)


FORMS = {
    "recv_many": (recv_many, "threads"),
    "iterating": (iterating, "threads"),
    "threads": (message_by_message, "threads"),
    "events": (message_by_message, "events"),
    "processes": (message_by_message, "processes"),
}

if __name__ == "__main__":
    _, _, framing, form = sys.argv
    handler, dispatch = FORMS[form]
    with sb.start("127.0.0.1:0", handler, framing, dispatch=dispatch) as server:
        print(server.endpoints[0].rpartition(":")[2], flush=True)
        server.join()

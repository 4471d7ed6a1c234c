"""Twisted: Int32StringReceiver, or LineOnlyReceiver."""

import sys

from twisted.internet import protocol, reactor
from twisted.protocols import basic


class Messages(basic.Int32StringReceiver):
    MAX_LENGTH = 8 * 1024 * 1024

    def connectionMade(self):
        self.transport.setTcpNoDelay(True)

    def stringReceived(self, string):
        self.sendString(string)


class Lines(basic.LineOnlyReceiver):
    delimiter = b"\n"

    def connectionMade(self):
        self.transport.setTcpNoDelay(True)

    def lineReceived(self, line):
        self.sendLine(line)


def main(place, framing):
    made = Lines if framing == "lines" else Messages
    factory = protocol.Factory.forProtocol(made)
    port = reactor.listenTCP(0, factory, backlog=1024, interface="127.0.0.1")
    print(port.getHost().port, flush=True)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:3])

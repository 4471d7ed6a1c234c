"""Twisted's own receivers against ours.

client RECEIVER PORT COUNT: sends COUNT messages of many sizes, each must come back as it went.
server RECEIVER: says its port, echoes one conversation to its end, says how many messages it was.
"""

import sys

from twisted.internet import reactor
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import ClientFactory, ServerFactory
from twisted.protocols.basic import Int32StringReceiver, LineReceiver, NetstringReceiver
from zope.interface import implementer

MAX_BYTES = 300_000


class Int32(Int32StringReceiver):
    MAX_LENGTH = MAX_BYTES


class Netstring(NetstringReceiver):
    MAX_LENGTH = MAX_BYTES


class Line(LineReceiver):
    MAX_LENGTH = MAX_BYTES

    def lineReceived(self, line):
        self.stringReceived(line)

    def sendString(self, line):
        self.sendLine(line)


RECEIVERS = {"int32": Int32, "netstring": Netstring, "line": Line}


def messages(count):
    """Empty ones, short ones, and a few that no buffer holds at once."""
    for n in range(count):
        size = MAX_BYTES if n % 50 == 49 else n * n % 5000 * (n % 2)
        yield bytes([ord("a") + n % 26]) * size


def client(receiver, port, count):
    class Client(receiver):
        def connectionMade(self):
            self.expected = list(messages(count))
            self.echoed = 0
            for message in self.expected:
                self.sendString(message)

        def stringReceived(self, message):
            if message != self.expected[self.echoed]:
                print("message", self.echoed, "came back different")
                self.transport.abortConnection()
                return
            self.echoed += 1
            if self.echoed == count:
                self.transport.loseWriteConnection()

        def connectionLost(self, reason):
            print("echoed", self.echoed)
            reactor.stop()

    factory = ClientFactory()
    factory.protocol = Client
    factory.clientConnectionFailed = lambda _, reason: reactor.stop()
    reactor.connectTCP("127.0.0.1", port, factory)


def server(receiver):
    # Without this Twisted drops what it has not written when the client half-closes.
    @implementer(IHalfCloseableProtocol)
    class Server(receiver):
        def connectionMade(self):
            self.served = 0
            listener.stopListening()

        def stringReceived(self, message):
            self.served += 1
            self.sendString(message)

        def readConnectionLost(self):
            self.transport.loseConnection()

        def writeConnectionLost(self):
            pass

        def connectionLost(self, reason):
            print("served", self.served)
            reactor.stop()

    factory = ServerFactory()
    factory.protocol = Server
    listener = reactor.listenTCP(0, factory, interface="127.0.0.1")
    print("port", listener.getHost().port, flush=True)


if __name__ == "__main__":
    receiver = RECEIVERS[sys.argv[2]]
    if sys.argv[1] == "client":
        client(receiver, int(sys.argv[3]), int(sys.argv[4]))
    else:
        server(receiver)
    reactor.run()

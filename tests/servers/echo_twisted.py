"""Twisted: Int32StringReceiver, or LineReceiver as its documentation has it. PORT int32|lines"""

import sys

from twisted.internet import protocol, reactor
from twisted.protocols import basic


class Strings(basic.Int32StringReceiver):
    def stringReceived(self, string):
        self.sendString(string)


class Lines(basic.LineReceiver):
    def lineReceived(self, line):
        self.sendLine(line)


port, framing = int(sys.argv[1]), {"int32": Strings, "lines": Lines}[sys.argv[2]]
reactor.listenTCP(port, protocol.Factory.forProtocol(framing), interface="127.0.0.1")
reactor.run()

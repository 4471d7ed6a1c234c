//! The table of presets: data, no code. One line a string, so that a reader can hold each against
//! its document.

use super::Preset;

/// The same framing in both directions.
const fn both(
    name: &'static str,
    framing: &'static str,
    source: &'static str,
    notes: &'static str,
) -> Preset {
    Preset { name, client: framing, server: framing, source, notes }
}

const BGP: &str = "xffffffffffffffffffffffffffffffff len:u16be,frame type:1";
const FIX: &str = r#""8=" begin:until"\x01" "9=" len:dec"\x01" body "10=" sum:3 x01"#;
const MEMCACHED_BINARY: &str =
    "magic:1 op:1 klen:u16be elen:1 dtype:1 status:2 len:u32be opaque:4 cas:8";

pub(super) const TABLE: [Preset; 49] = [
    both(
        "9p",
        "len:u32le,frame type:1 tag:2",
        "Plan 9 manual, intro(5)",
        "The negotiated msize is a limit of the session: say it with max=.",
    ),
    Preset {
        name: "amqp",
        client: "fixed:8 ; type:1 chan:2 len:u32be body xce",
        server: r#"type{"AMQP": 4, *: type:1 chan:2 len:u32be body xce}"#,
        source: "AMQP 0-9-1 specification, sections 4.2.2 and 4.2.3",
        notes: "The client begins with the 8 bytes of the protocol header. A server that does not \
                speak its version answers with a protocol header in place of a frame, and closes.",
    },
    both(
        "bgp",
        BGP,
        "RFC 4271, section 4.1",
        "A message has at most 4096 bytes, 65535 with RFC 8654: say it with maxframe=. A marker \
         other than all ones (RFC 1771 authentication) is bad-prefix.",
    ),
    both(
        "bitcoin",
        "xf9beb4d9 cmd:12 len:u32le sum:4",
        "Bitcoin developer reference, P2P network, message headers",
        "The magic is the main network's. The checksum is the user's: neither checked nor built.",
    ),
    both(
        "bittorrent",
        "fixed:68 ; u32be",
        "BEP 3, peer protocol",
        "The handshake's 68 bytes are those of \"BitTorrent protocol\". A message of length 0 is a \
         keep-alive. Encrypted peers cannot be read.",
    ),
    both(
        "chunked",
        "chunked",
        "RFC 9112, section 7.1",
        "Delivers the data of each chunk, the last chunk as an empty message. Extensions and \
         trailer fields are dropped.",
    ),
    both(
        "dap",
        "header:Content-Length deliver=body",
        "Debug Adapter Protocol, overview, base protocol",
        "Delivers the JSON alone; other header fields are dropped.",
    ),
    both(
        "diameter",
        "x01 len:u24be,frame flags:1 cmd:3 app:4 hop:4 end:4",
        "RFC 6733, section 3",
        "The length counts the padding of the AVPs too, so nothing is left to align.",
    ),
    both(
        "dns",
        "u16be",
        "RFC 1035, section 4.2.2; RFC 7766, section 8",
        "DNS over TCP, and over TLS once that is taken off. Answers may come in another order \
         than the questions: match them by the message's first two bytes.",
    ),
    both(
        "docker",
        "stream:1 3 len:u32be",
        "Docker Engine API, attach to a container, stream format",
        "What the engine writes for a container without a terminal: stream 0, 1, 2 is stdin, \
         stdout, stderr. With a terminal, and from client to engine, the stream is raw.",
    ),
    both(
        "fastcgi",
        "x01 type:1 id:2 len:u16be pad:u8 1 body =pad",
        "FastCGI specification 1.0, section 3.3",
        "A record is delivered with its padding; deliver=nopad leaves the padding out.",
    ),
    both(
        "fix",
        FIX,
        "FIX session layer, tag=value encoding, standard header and trailer",
        "The sum of tag 10 is the user's: neither checked nor built.",
    ),
    both(
        "git",
        "len:hex4,self,short=4",
        "git documentation, gitprotocol-common(5), pkt-line",
        "Lengths 0000, 0001 and 0002 (flush, delimiter, end of response) are frames without a \
         body: tell them by the field len. 0003 means nothing. A pack sent outside pkt-line \
         cannot be read.",
    ),
    both(
        "grpc",
        "flag:1 len:u32be",
        "gRPC over HTTP/2, length-prefixed message",
        "Inside an HTTP/2 stream's data, not on the socket. A message whose flag is 1 is \
         compressed, and delivered so.",
    ),
    both(
        "http1",
        "header:content-length",
        "RFC 9112, section 6",
        "Sees no chunked body, no body that ends with the connection, and takes the length of \
         an answer to HEAD, or of 304, for a body. Switch to chunked or eof by hand for these.",
    ),
    Preset {
        name: "http2",
        client: "fixed:24 ; len:u24be type:1 flags:1 stream:4",
        server: "len:u24be type:1 flags:1 stream:4",
        source: "RFC 9113, sections 3.4 and 4.1",
        notes: "The client begins with the 24 bytes of the connection preface; the server's \
                preface is a SETTINGS frame like any other. With prior knowledge or behind TLS; \
                the HTTP/1.1 of an upgrade is not read.",
    },
    both("int16", "u16be", "Twisted, Int16StringReceiver", "The same as packet2."),
    both("int32", "u32be", "Twisted, Int32StringReceiver", "The same as packet4."),
    both("int8", "u8", "Twisted, Int8StringReceiver", "The same as packet1."),
    both(
        "irc",
        "lines max=8702",
        "RFC 1459, section 2.3; IRCv3 message-tags",
        "A message has 510 bytes and its line end, with tags 8191 more: lines max=511 holds \
         peers to what has no tags.",
    ),
    both(
        "kafka",
        "i32be",
        "Apache Kafka protocol guide, protocol primitive types and common request structure",
        "Requests and responses are matched by the correlation id inside the message.",
    ),
    both(
        "ldap",
        "tag:bertag len:ber",
        "RFC 4511, section 5.1; ITU-T X.690, sections 8.1.2 and 8.1.3",
        "LDAPMessage over TCP. The indefinite length, which LDAP forbids, is bad-length. After \
         StartTLS the stream is TLS.",
    ),
    both(
        "lsp",
        "header:Content-Length deliver=body",
        "Language Server Protocol 3.17, base protocol",
        "Delivers the JSON alone; Content-Type is dropped.",
    ),
    both(
        "memcached-binary",
        MEMCACHED_BINARY,
        "memcached wiki, binary protocol revamped, packet structure",
        "The length counts extras, key and value together.",
    ),
    both(
        "minecraft",
        "uleb3",
        "Minecraft: Java Edition protocol, packet format",
        "Until encryption. After set-compression the message begins with the size of the data \
         before it was compressed. The legacy server list ping (fe) is not read.",
    ),
    both(
        "mllp",
        "x0b body x1c0d",
        "HL7 version 2, Minimal Lower Layer Protocol (MLLP) release 1",
        "Nothing is escaped: a message that holds 1c 0d cannot be sent.",
    ),
    both(
        "modbus",
        "tid:2 pid:2 len:u16be",
        "MODBUS messaging on TCP/IP implementation guide V1.0b, section 3.1.3",
        "The length counts the unit identifier and the PDU, at most 254 bytes: say it with max=.",
    ),
    both(
        "mongodb",
        "len:u32le,frame id:4 to:4 op:4",
        "MongoDB wire protocol, standard message header",
        "A message has at most 48,000,000 bytes, more than the default: say max=48000000. The \
         checksum of OP_MSG is the user's.",
    ),
    both(
        "mqtt",
        "type:1 len:uleb4",
        "OASIS MQTT 3.1.1, section 2.2.3; MQTT 5.0, section 2.1.4",
        "The first byte is the packet's type and its flags.",
    ),
    both(
        "mysql",
        "len:u24le,cont=ffffff seq:1 deliver=body",
        "MySQL source code documentation, client/server protocol, MySQL packets",
        "A packet of 16777215 bytes goes on in the next one; they are joined. The field seq is of \
         the last. Compressed and TLS connections cannot be read.",
    ),
    both(
        "netstring",
        r#"len:dec":" body ",""#,
        "D. J. Bernstein, Netstrings (1997)",
        "A leading zero is refused, as the document says; 0:, is the empty message.",
    ),
    both(
        "packet1",
        "u8",
        "Erlang/OTP, inet:setopts/2, {packet, 1}",
        "At most 255 bytes a message.",
    ),
    both(
        "packet2",
        "u16be",
        "Erlang/OTP, inet:setopts/2, {packet, 2}",
        "At most 65535 bytes a message.",
    ),
    both(
        "packet4",
        "u32be",
        "Erlang/OTP, inet:setopts/2, {packet, 4}",
        "Erlang itself takes at most 128 MiB a message, the default here is 16 MiB: say max=.",
    ),
    Preset {
        name: "postgres",
        client: "len:u32be,self deliver=frame ; type:1 len:u32be,self",
        server: "type:1 len:u32be,self",
        source: "PostgreSQL documentation, frontend/backend protocol, message formats",
        notes: "SSLRequest and GSSENCRequest are answered by one bare byte; after S or G the \
                stream is encrypted and told so, after N the startup message comes again. As a \
                protocol this is followed; as a framing of one side alone it is not.",
    },
    both(
        "protobuf",
        "uleb",
        "Protocol Buffers documentation, techniques, streaming multiple messages",
        "What writeDelimitedTo and parseDelimitedFrom of Java and C++ use.",
    ),
    Preset {
        name: "redis",
        client: "resp-command",
        server: "resp",
        source: "Redis documentation, Redis serialization protocol specification",
        notes: "A client's command is an array, or a line of words. The server's pushes of RESP3 \
                are values like any other. A replica's stream is not read.",
    },
    both(
        "resp",
        "resp",
        "Redis documentation, Redis serialization protocol specification",
        "One whole value of RESP2 or RESP3, however nested, to a bounded depth.",
    ),
    both(
        "resp-command",
        "resp-command",
        "Redis documentation, Redis serialization protocol specification, inline commands",
        "What a client writes: an array, or an inline command, which is a line.",
    ),
    both(
        "rtsp",
        r#"type{"$": chan:1 len:u16be, *: header:content-length}"#,
        "RFC 2326, sections 4.4 and 10.12; RFC 7826, section 14",
        "Interleaved data begins with a $; all else is a header block and its body.",
    ),
    both(
        "smpp",
        "len:u32be,frame cmd:4 status:4 seq:4",
        "SMPP 3.4 specification, section 3.2",
        "Answers are matched by seq.",
    ),
    both(
        "ssh",
        "crlf ; u32be",
        "RFC 4253, sections 4.2 and 6",
        "Until encryption: identification line, then packets up to SSH_MSG_NEWKEYS; padding is \
         in the message. Lines that a server may send before its identification are not seen as \
         such: write crlf N times by hand.",
    ),
    both(
        "sunrpc",
        "len:u32be,&7fffffff,last=80000000",
        "RFC 5531, section 11",
        "The record marking standard: a record is the bodies of its fragments, joined.",
    ),
    both(
        "syslog",
        "lines",
        "RFC 6587, section 3.4.2",
        "A message that holds a line end is cut: syslog-octet has no such flaw. Senders that end \
         messages with NUL need delim:x00.",
    ),
    both(
        "syslog-octet",
        r#"len:dec" ""#,
        "RFC 6587, section 3.4.1; RFC 5425, section 4.3",
        "A sender that counts no octets is bad-prefix at its first byte.",
    ),
    both(
        "thrift",
        "u32be",
        "Apache Thrift, thrift-rpc specification, framed transport",
        "Unframed transport has no messages that can be told without knowing the types.",
    ),
    both(
        "tls",
        "type:1 ver:2 len:u16be",
        "RFC 8446, section 5.1; RFC 5246, section 6.2",
        "Records, mostly encrypted; a handshake message may span several of them. A record's body \
         has at most 16640 bytes: say it with max=. SSL 2 hellos are not read.",
    ),
    both(
        "tpkt",
        "x03 1 len:u16be,frame",
        "RFC 1006, section 6; RFC 2126, section 4.3",
        "A packet has 7 bytes at least when it holds a TPDU; smaller ones are not refused. RDP's \
         fast-path packets begin otherwise and are bad-prefix.",
    ),
    both(
        "wayland",
        "obj:4 op:2 len:u16le,frame",
        "Wayland protocol documentation, wire format",
        "On machines that are little-endian: the words are in the host's order. Descriptors that \
         are passed beside the bytes are not seen.",
    ),
];

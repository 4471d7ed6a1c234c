//! Addresses as one string: [`Endpoint`].
//!
//! It is parsed once and never asks the system anything: whether a name resolves or a path exists
//! is found out when connecting or listening.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// Where to connect to or to listen on.
///
/// | written | means |
/// |---|---|
/// | `tcp://host:port`, `host:port` | TCP to a name or an address; IPv6 in brackets, `[::1]:80` |
/// | `tls://host:port` | the same with TLS (feature `tls`) |
/// | `:port` | listening: every address of this machine; connecting: this machine |
/// | `unix:/path` | a Unix socket |
/// | `unix:@name` | a Unix socket in the abstract namespace of Linux |
/// | `exec:command args` | the standard input and output of a program |
/// | `fd:3` | a descriptor that came with the process |
/// | `-` | this program's own standard input and output |
///
/// A port is a number from 0 to 65535; listening on port 0 lets the system choose one. The words
/// of `exec:` are split at blanks, with `'..'`, `".."` and `\` as in a shell, and no shell is
/// run. [`Display`](fmt::Display) writes the whole form, and parsing that gives the same endpoint:
///
/// ```
/// use switchboard::Endpoint;
///
/// let endpoint: Endpoint = "localhost:5432".parse()?;
/// assert_eq!(endpoint.to_string(), "tcp://localhost:5432");
/// assert_eq!(endpoint.to_string().parse::<Endpoint>()?, endpoint);
/// let error = "localhost".parse::<Endpoint>().unwrap_err();
/// assert!(error.to_string().contains("host:port"));
/// # Ok::<(), switchboard::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// TCP.
    Tcp {
        /// A name, or an address without brackets; empty for every address.
        host: String,
        /// The port.
        port: u16,
    },
    /// TLS over TCP.
    Tls {
        /// As of TCP. Connecting, the server's certificate has to be for it.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket on a path.
    Unix(PathBuf),
    /// A Unix socket in the abstract namespace of Linux: the name without its leading zero byte.
    Abstract(Vec<u8>),
    /// A program, its words; never empty.
    Exec(Vec<String>),
    /// An inherited descriptor.
    Fd(i32),
    /// This program's standard input and output.
    Stdio,
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Endpoint {
        let host = match address {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("{}%{}", v6.ip(), v6.scope_id()),
            // A client that came over IPv4 to a socket for both is shown as what it is.
            SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
                Some(v4) => v4.to_string(),
                None => v6.ip().to_string(),
            },
            SocketAddr::V4(v4) => v4.ip().to_string(),
        };
        Endpoint::Tcp { host, port: address.port() }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp { host, port } | Endpoint::Tls { host, port } => {
                let scheme = if matches!(self, Endpoint::Tls { .. }) { "tls" } else { "tcp" };
                match host.contains(':') {
                    true => write!(f, "{scheme}://[{host}]:{port}"),
                    false => write!(f, "{scheme}://{host}:{port}"),
                }
            }
            Endpoint::Unix(path) => write!(f, "unix:{}", path.display()),
            Endpoint::Abstract(name) => write!(f, "unix:@{}", String::from_utf8_lossy(name)),
            Endpoint::Exec(words) => {
                f.write_str("exec:")?;
                for (i, word) in words.iter().enumerate() {
                    let blank = if i == 0 { "" } else { " " };
                    write!(f, "{blank}{}", Quoted(word))?;
                }
                Ok(())
            }
            Endpoint::Fd(number) => write!(f, "fd:{number}"),
            Endpoint::Stdio => f.write_str("-"),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Endpoint, EndpointError> {
        let fail = |problem: String| Err(EndpointError { text: text.to_owned(), problem });
        if text.contains('\0') {
            return fail("a zero byte is part of no endpoint".to_owned());
        }
        let parsed = match text.split_once(':') {
            _ if text == "-" => Ok(Endpoint::Stdio),
            _ if text.is_empty() => Err(format!("it is empty, {EXPECTED}")),
            Some(("unix", rest)) => unix(rest),
            Some(("exec", rest)) => exec(rest),
            Some(("fd", rest)) => fd(rest),
            Some(("tls", rest)) if rest.starts_with("//") => {
                tcp(&rest[2..]).map(|(host, port)| Endpoint::Tls { host, port })
            }
            Some(("shm", _)) => Err("shm is not there yet".to_owned()),
            Some(("tcp", rest)) if rest.starts_with("//") => {
                tcp(&rest[2..]).map(|(host, port)| Endpoint::Tcp { host, port })
            }
            Some((scheme, rest)) if rest.starts_with("//") => {
                Err(format!("\"{scheme}\" is no kind of endpoint, {EXPECTED}"))
            }
            Some(_) => tcp(text).map(|(host, port)| Endpoint::Tcp { host, port }),
            None => Err(format!("there is no port in it, {EXPECTED}")),
        };
        parsed.or_else(fail)
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: &str) -> Result<Endpoint, EndpointError> {
        text.parse()
    }
}

impl Endpoint {
    /// The TCP endpoint of a host and a port.
    ///
    /// ```
    /// assert_eq!(switchboard::Endpoint::tcp("::1", 80).to_string(), "tcp://[::1]:80");
    /// ```
    #[must_use]
    pub fn tcp(host: impl Into<String>, port: u16) -> Endpoint {
        Endpoint::Tcp { host: host.into(), port }
    }

    /// The Unix endpoint of a path.
    #[must_use]
    pub fn unix(path: impl Into<PathBuf>) -> Endpoint {
        Endpoint::Unix(path.into())
    }

    /// The port of an endpoint over TCP.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match self {
            Endpoint::Tcp { port, .. } | Endpoint::Tls { port, .. } => Some(*port),
            _ => None,
        }
    }
}

/// A string that is no endpoint: what is wrong and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointError {
    text: String,
    problem: String,
}

impl EndpointError {
    /// The string that was parsed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "endpoint \"{}\": {}", self.text.escape_debug(), self.problem)
    }
}

impl std::error::Error for EndpointError {}

const EXPECTED: &str = "expected host:port, :port, [ipv6]:port, tls://host:port, unix:/path, \
                        unix:@name, exec:command, fd:N or -";

fn tcp(text: &str) -> Result<(String, u16), String> {
    if text.contains('/') {
        return Err("expected host:port and nothing after the port".to_owned());
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(format!("there is no port in it, expected {text}:port"));
    };
    let host = if let Some(inner) = host.strip_prefix('[') {
        let Some(inner) = inner.strip_suffix(']') else {
            return Err("expected ]: after the address, as in [::1]:80".to_owned());
        };
        let address = inner.split_once('%').map_or(inner, |(address, _zone)| address);
        if !matches!(address.parse(), Ok(IpAddr::V6(_))) {
            return Err(format!("\"{inner}\" is no IPv6 address, only those stand in brackets"));
        }
        inner
    } else {
        host
    };
    if host.contains(':') && !text.starts_with('[') {
        return Err(format!("an IPv6 address stands in brackets, as in [{host}]:{port}"));
    }
    if let Some(odd) = host.chars().find(|c| c.is_whitespace() || "[]@?#".contains(*c)) {
        return Err(format!("{odd:?} is part of no host name"));
    }
    Ok((host.to_owned(), self::port(port)?))
}

fn port(text: &str) -> Result<u16, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("\"{text}\" is no port, expected a number from 0 to 65535"));
    }
    text.parse().map_err(|_| format!("port {text} is too large, expected 0 to 65535"))
}

fn unix(rest: &str) -> Result<Endpoint, String> {
    match rest.strip_prefix('@') {
        _ if rest.is_empty() => Err("expected a path or @name after unix:".to_owned()),
        Some("") => Err("expected a name after unix:@".to_owned()),
        Some(name) => Ok(Endpoint::Abstract(name.as_bytes().to_vec())),
        None => Ok(Endpoint::Unix(PathBuf::from(rest))),
    }
}

fn fd(rest: &str) -> Result<Endpoint, String> {
    let digits = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    match rest.parse() {
        Ok(number) if digits => Ok(Endpoint::Fd(number)),
        _ => Err(format!("\"{rest}\" is no descriptor, expected a number as in fd:3")),
    }
}

fn exec(rest: &str) -> Result<Endpoint, String> {
    let words = words(rest)?;
    match words.first() {
        Some(command) if !command.is_empty() => Ok(Endpoint::Exec(words)),
        _ => Err("expected a command after exec:".to_owned()),
    }
}

/// Splits at blanks, with the quotes of a shell.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err("expected a closing '".to_owned()),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => match chars.next() {
                            Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c),
                            Some(c) => word.extend(['\\', c]),
                            None => return Err("expected a closing \"".to_owned()),
                        },
                        Some(c) => word.push(c),
                        None => return Err("expected a closing \"".to_owned()),
                    }
                }
            }
            '\\' => match chars.next() {
                Some(c) => word.get_or_insert_default().push(c),
                None => return Err("expected a character after \\".to_owned()),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// A word as `exec:` takes it back.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| !c.is_whitespace() && !"'\"\\".contains(c);
        if !self.0.is_empty() && self.0.chars().all(plain) {
            return f.write_str(self.0);
        }
        write!(f, "'{}'", self.0.replace('\'', "'\\''"))
    }
}

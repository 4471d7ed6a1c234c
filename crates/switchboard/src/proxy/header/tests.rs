//! Headers right and wrong, cut at every byte.

use super::*;

/// What whole `header` is, after every shorter part of it asked for more, and with the stream
/// behind it.
#[track_caller]
fn whole(header: &[u8]) -> Said {
    for cut in 0..header.len() {
        assert_eq!(parse(&header[..cut]), Ok(Parsed::More), "{cut} of {header:?}");
    }
    let Ok(Parsed::Whole(bytes, said)) = parse(header) else {
        panic!("{header:?}: {:?}", parse(header));
    };
    assert_eq!(bytes, header.len());
    for behind in [&b"x"[..], b"\r\n", header, &[0; 8192]] {
        let stream = [header, behind].concat();
        assert_eq!(parse(&stream), Ok(Parsed::Whole(bytes, said.clone())));
    }
    said
}

fn tcp(remote: &str, local: &str) -> Said {
    sides(remote.parse().unwrap(), local.parse().unwrap())
}

fn v2_of(ver_cmd: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).unwrap().to_be_bytes();
    [V2, &[ver_cmd, family], &len, body].concat()
}

const V4_BODY: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0x9c, 0x41, 0x01, 0xbb];

#[test]
fn version_1() {
    let said = whole(b"PROXY TCP4 192.0.2.7 198.51.100.1 40001 443\r\n");
    assert_eq!(said, tcp("192.0.2.7:40001", "198.51.100.1:443"));
    let said = whole(b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n");
    assert_eq!(said, tcp("255.255.255.255:65535", "255.255.255.255:65535"));
    let said = whole(b"PROXY TCP6 2001:db8::7 ::1 0 65535\r\n");
    assert_eq!(said, tcp("[2001:db8::7]:0", "[::1]:65535"));
    assert_eq!(whole(b"PROXY UNKNOWN\r\n"), Said::Nothing);
    // The longest one that the document has, and whatever else is to be ignored.
    let longest = b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n";
    assert_eq!(whole(longest), Said::Nothing);
    let longest = [b"PROXY UNKNOWN ", &[b'f'; 91][..], b"\r\n"].concat();
    assert_eq!(longest.len(), V1_BYTES_MAX);
    assert_eq!(whole(&longest), Said::Nothing);
}

#[test]
fn wrong_version_1() {
    for (wrong, why) in [
        ("PROXY TCP4 192.0.2.7 198.51.100.1 40001\r\n", "two addresses and two ports"),
        ("PROXY TCP4 192.0.2.7  198.51.100.1 40001 443\r\n", "two addresses and two ports"),
        ("PROXY TCP4 192.0.2.7 198.51.100.1 40001 443 \r\n", "two addresses and two ports"),
        ("PROXY TCP4\r\n", "two addresses and two ports"),
        ("PROXY TCP4 ::1 198.51.100.1 40001 443\r\n", "none of that family"),
        ("PROXY TCP6 192.0.2.7 198.51.100.1 40001 443\r\n", "none of that family"),
        ("PROXY TCP4 192.0.2.07 198.51.100.1 40001 443\r\n", "none of that family"),
        ("PROXY TCP4 a.example 198.51.100.1 40001 443\r\n", "none of that family"),
        ("PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n", "a port in its line"),
        ("PROXY TCP4 192.0.2.7 198.51.100.1 040 443\r\n", "a port in its line"),
        ("PROXY TCP4 192.0.2.7 198.51.100.1 +40 443\r\n", "a port in its line"),
        ("PROXY TCP4 192.0.2.7 198.51.100.1 40 \r\n", "a port in its line"),
        ("PROXY UDP4 192.0.2.7 198.51.100.1 40 1\r\n", "names neither"),
        ("PROXY \r\n", "names neither"),
        ("proxy TCP4", "does not begin with one"),
        ("GET / HTTP/1.1\r\n", "does not begin with one"),
        ("\0", "does not begin with one"),
    ] {
        let error = parse(wrong.as_bytes()).unwrap_err();
        assert!(error.contains(why), "{wrong}: {error}");
    }
    let endless = [b"PROXY UNKNOWN ", &[b'f'; 93][..]].concat();
    assert_eq!(parse(&endless), Err("its line does not end within 107 bytes"));
    assert_eq!(parse(&endless[..106]), Ok(Parsed::More));
    assert!(parse(b"PROXY UNKNOWN").is_ok() && parse(b"PROXYX").is_err());
    assert_eq!(parse(b"PROXY TCP4 \xff\r\n"), Err("its line is not ASCII"));
}

#[test]
fn version_2() {
    let said = tcp("192.0.2.7:40001", "198.51.100.1:443");
    for protocol in [0x10, 0x11, 0x12] {
        assert_eq!(whole(&v2_of(0x21, protocol, &V4_BODY)), said);
    }
    // TLVs: an authority, and one without a value.
    let body = [&V4_BODY[..], &[2, 0, 3, b'a', b'.', b'b', 4, 0, 0]].concat();
    assert_eq!(whole(&v2_of(0x21, 0x11, &body)), said);
    let ip = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
    let body = [&ip("2001:db8::7")[..], &ip("::1"), &[0, 1, 0, 2]].concat();
    assert_eq!(whole(&v2_of(0x21, 0x21, &body)), tcp("[2001:db8::7]:1", "[::1]:2"));
    // LOCAL, with whatever it says; and no address.
    assert_eq!(whole(&v2_of(0x20, 0x00, &[])), Said::Nothing);
    assert_eq!(whole(&v2_of(0x20, 0x11, &V4_BODY)), Said::Nothing);
    assert_eq!(whole(&v2_of(0x20, 0xff, b"anything")), Said::Nothing);
    assert_eq!(whole(&v2_of(0x21, 0x00, &[4, 0, 0])), Said::Nothing);
}

#[test]
fn version_2_over_unix_sockets() {
    let field = |text: &[u8]| [text, &vec![0; UNIX_BYTES - text.len()]].concat();
    let said = |remote: &[u8], local: &[u8]| {
        whole(&v2_of(0x21, 0x31, &[field(remote), field(local)].concat()))
    };
    let path = |path: &str| Some(Endpoint::Unix(path.into()));
    let full = [b'/'; UNIX_BYTES];
    assert_eq!(
        said(b"/c", &full),
        Said::Sides { remote: path("/c"), local: path(std::str::from_utf8(&full).unwrap()) }
    );
    let name = Some(Endpoint::Abstract(b"name".to_vec()));
    assert_eq!(said(b"", b"\0name"), Said::Sides { remote: None, local: name });
}

#[test]
fn wrong_version_2() {
    let long = vec![0; PROXY_HEADER_BYTES_MAX];
    for (wrong, why) in [
        (v2_of(0x11, 0x11, &V4_BODY), "version is not 2"),
        (v2_of(0x22, 0x11, &V4_BODY), "neither LOCAL nor PROXY"),
        (v2_of(0x21, 0x41, &V4_BODY), "family or protocol"),
        (v2_of(0x21, 0x13, &V4_BODY), "family or protocol"),
        (v2_of(0x21, 0x11, &V4_BODY[..11]), "too short for its addresses"),
        (v2_of(0x21, 0x31, &V4_BODY), "too short for its addresses"),
        (v2_of(0x21, 0x00, &long), "longer than 4096 bytes"),
        (v2_of(0x21, 0x11, &[&V4_BODY[..], &[4, 0]].concat()), "TLVs is cut off"),
        (v2_of(0x21, 0x11, &[&V4_BODY[..], &[4, 0, 2, 0]].concat()), "TLVs is cut off"),
        (v2_of(0x21, 0x11, &[&V4_BODY[..], &[3, 0, 1, 0]].concat()), "has not 4 bytes"),
        (v2_of(0x21, 0x11, &[&V4_BODY[..], &[3, 0, 4, 0, 0, 0, 0]].concat()), "checksum is wrong"),
    ] {
        let error = parse(&wrong).unwrap_err();
        assert!(error.contains(why), "{wrong:?}: {error}");
    }
    let most = vec![0; PROXY_HEADER_BYTES_MAX - V2_BYTES_MIN];
    assert!(parse(&v2_of(0x20, 0x00, &most)).is_ok());
    assert!(parse(b"\r\n\r\nx").is_err());
}

#[test]
fn a_checksum_that_is_right() {
    // RFC 3720, appendix B.4: 32 bytes of zeros, and the numbers up to 31.
    assert_eq!(crc32c([0; 32].into_iter()), 0x8a91_36aa);
    assert_eq!(crc32c(0..32), 0x46dd_794e);
    let body = [&V4_BODY[..], &[3, 0, 4, 0, 0, 0, 0, 4, 0, 0]].concat();
    let mut header = v2_of(0x21, 0x11, &body);
    let crc = crc32c(header.iter().copied()).to_be_bytes();
    let at = V2_BYTES_MIN + V4_BODY.len() + 3;
    header[at..at + 4].copy_from_slice(&crc);
    assert_eq!(whole(&header), tcp("192.0.2.7:40001", "198.51.100.1:443"));
    header[20] ^= 1;
    assert_eq!(parse(&header), Err("its checksum is wrong"));
}

/// Bytes by chance, most of them near a header: nothing panics, and what is told of a part is not
/// taken back when more is there.
#[test]
fn what_is_told_stays_so_however_the_bytes_are_cut() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).unwrap()
    };
    let seeds = [
        b"PROXY TCP4 192.0.2.7 198.51.100.1 40001 443\r\nstream".to_vec(),
        b"PROXY TCP6 2001:db8::7 ::1 0 65535\r\n".to_vec(),
        v2_of(0x21, 0x11, &[&V4_BODY[..], &[4, 0, 2, 1, 2, 3, 0, 4, 1, 2, 3, 4]].concat()),
        v2_of(0x21, 0x31, &[7; 2 * UNIX_BYTES]),
        v2_of(0x20, 0x00, &[]),
    ];
    for _ in 0..4_000 {
        let mut bytes = seeds[random(seeds.len())].clone();
        for _ in 0..random(4) {
            let at = random(bytes.len());
            bytes[at] = u8::try_from(random(256)).unwrap();
        }
        bytes.truncate(1 + random(bytes.len()));
        let told: Vec<_> = (0..=bytes.len()).map(|cut| parse(&bytes[..cut])).collect();
        let first = told.iter().position(|one| *one != Ok(Parsed::More)).unwrap_or(told.len());
        for later in &told[first..] {
            // A header that is too long to be one may be told by another of its faults first.
            match (&told[first], later) {
                (Ok(whole), Ok(later)) => assert_eq!(whole, later, "{bytes:?}"),
                (Err(_), Err(_)) => {}
                other => panic!("{bytes:?}: {other:?}"),
            }
            if let Ok(Parsed::Whole(whole, _)) = later {
                assert!(*whole <= bytes.len(), "{bytes:?}");
            }
        }
    }
}

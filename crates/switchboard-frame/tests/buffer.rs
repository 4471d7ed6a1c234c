//! The receive buffer: what it holds, how it grows, and that it never grows on an announcement.

use switchboard_frame::ReceiveBuffer;

#[test]
fn keeps_bytes_in_order_over_any_sizes() {
    let mut buffer = ReceiveBuffer::new();
    let byte = |i: u32| i.wrapping_mul(2_654_435_761).to_be_bytes()[0];
    let source: Vec<u8> = (0..200_000u32).map(byte).collect();
    let (mut sent, mut read) = (0, 0);
    let mut step = 1usize;
    while read < source.len() {
        step = (step * 31 + 7) % 9001;
        let spare = buffer.spare_mut(step);
        assert!(!spare.is_empty());
        let taken = spare.len().min(source.len() - sent).min(step + 1);
        spare[..taken].copy_from_slice(&source[sent..sent + taken]);
        buffer.filled(taken);
        sent += taken;
        let consumed = buffer.unread().len().min((step * 7) % 8000);
        assert_eq!(buffer.unread()[..consumed], source[read..read + consumed]);
        buffer.consume(consumed);
        read += consumed;
    }
}

#[test]
fn an_announcement_alone_costs_one_small_buffer() {
    let mut buffer = ReceiveBuffer::new();
    assert_eq!(buffer.capacity(), 0);
    buffer.extend(&[0, 255, 255, 255]);
    buffer.spare_mut(16 * 1024 * 1024);
    assert!(buffer.capacity() <= 4096, "{}", buffer.capacity());
}

#[test]
fn what_is_put_aside_takes_what_it_needs_and_a_read_has_room() {
    let mut buffer = ReceiveBuffer::new();
    buffer.extend(&[0, 255, 255]);
    assert_eq!(buffer.capacity(), 64);
    buffer.consume(3);
    buffer.extend(&[7; 64]);
    assert_eq!((buffer.capacity(), buffer.unread()), (64, &[7; 64][..]));
    assert!(buffer.spare_mut(1).len() >= 4000);
    assert_eq!(buffer.unread(), [7; 64]);
}

#[test]
fn grows_to_twice_what_came_and_gives_it_back() {
    let mut buffer = ReceiveBuffer::new();
    let need = 4 << 20;
    let mut total = 0;
    while total < need {
        let room = buffer.spare_mut(need - total).len();
        buffer.filled(room);
        total += room;
        assert!(buffer.capacity() <= (64 * 1024).max(2 * total) + 1024);
    }
    buffer.consume(total);
    buffer.spare_mut(1);
    assert!(buffer.capacity() <= 65 * 1024);
}

/// Whatever is received and consumed, in whatever sizes, what is unread is what came and was not
/// dropped, and the memory is bounded by it.
#[test]
fn what_is_unread_survives_every_move_and_all_memory_given_back() {
    let mut buffer = ReceiveBuffer::new();
    let (mut received, mut consumed) = (0_u64, 0_u64);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |end: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % end
    };
    let byte = |at: u64| at.to_le_bytes()[0] ^ at.to_le_bytes()[1];
    for _ in 0..2000 {
        let magnitude = below(18);
        let size = 1 + below(1 << magnitude);
        if below(2) == 0 {
            let bytes: Vec<u8> = (received..received + size).map(byte).collect();
            buffer.extend(&bytes);
            received += size;
        } else {
            let unread = received - consumed;
            let dropped = if below(2) == 0 { unread - unread.min(size) } else { unread.min(size) };
            buffer.consume(usize::try_from(dropped).unwrap());
            consumed += dropped;
        }
        let expected = (consumed..received).map(byte);
        assert!(buffer.unread().iter().copied().eq(expected), "{consumed}..{received}");
    }
}

#[test]
fn small_messages_that_fill_it_make_it_larger_too() {
    let mut buffer = ReceiveBuffer::new();
    for _ in 0..8 {
        let room = buffer.spare_mut(52).len();
        buffer.filled(room);
        // Of the last one only the beginning is there, and how much is missing is known.
        buffer.consume(buffer.unread().len() - 16);
    }
    assert!((64 * 1024..=65 * 1024).contains(&buffer.capacity()), "{}", buffer.capacity());
}

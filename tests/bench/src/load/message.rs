//! Messages: 64 bytes that no other message has, so that a wrong answer can't pass for a right one.

pub(super) const LEN: usize = 64;

/// Returns message `count` of conversation `number`.
pub(super) fn message(number: u64, count: u64) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    for (word, out) in bytes.chunks_exact_mut(8).enumerate() {
        let place = (number << 40) ^ (count << 3) ^ word as u64;
        out.copy_from_slice(&mix(place).to_le_bytes());
    }
    bytes
}

/// The finalizer of splitmix64: one-to-one, so that different places give different words.
fn mix(place: u64) -> u64 {
    let mut z = place.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

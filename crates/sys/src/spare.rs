//! Buffers for bulk data that are used again. A fresh one of a megabyte costs 256 page faults, which under software
//! emulation is more than the copy into it.

use rustix::io::Errno;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Smaller ones come from the heap, without faults.
const SMALLEST: usize = 128 << 10;
/// Larger ones are rare: they go back to the system.
const LARGEST: usize = 2 << 20;
/// For the next that is filled. One more is made while another is written, which costs the host little and a guest has no need of.
const KEPT: usize = 1;

/// Their sizes are multiples of this.
const STEP: usize = 64 << 10;

struct Spare {
    buffers: Vec<Vec<u8>>,
    /// One was taken since [`release_unused`] was called last.
    used: bool,
}

static SPARE: Mutex<Spare> = Mutex::new(Spare {
    buffers: Vec::new(),
    used: false,
});

fn spare() -> MutexGuard<'static, Spare> {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives those back to the system that nobody has taken since the last call. Returns whether there are any still.
pub fn release_unused() -> bool {
    let mut kept = spare();
    if !std::mem::take(&mut kept.used) {
        kept.buffers.clear();
    }
    !kept.buffers.is_empty()
}

/// An empty buffer with room for `len` bytes. ENOMEM when there is no memory for it, where Vec::with_capacity would abort the
/// process: `len` is a script's.
pub(crate) fn room(len: usize) -> Result<Vec<u8>, Errno> {
    let mut buffer = Vec::new();
    make_room(&mut buffer, len)?;
    Ok(buffer)
}

/// Room for `more` bytes behind what `buffer` holds; ENOMEM as [`room`].
pub(crate) fn make_room(buffer: &mut Vec<u8>, more: usize) -> Result<(), Errno> {
    buffer.try_reserve_exact(more).map_err(|_| Errno::NOMEM)
}

/// `len` zeros; ENOMEM as [`room`].
pub(crate) fn zeros(len: usize) -> Result<Vec<u8>, Errno> {
    let mut buffer = room(len)?;
    buffer.resize(len, 0);
    Ok(buffer)
}

/// An empty buffer with room for `len` bytes, and for no more than twice as many: else what fills it would be trimmed.
pub(crate) fn take(len: usize) -> Result<Vec<u8>, Errno> {
    if len < SMALLEST {
        return room(len);
    }
    let mut kept = spare();
    let fits = |buffer: &Vec<u8>| (len..=2 * len).contains(&buffer.capacity());
    match kept.buffers.iter().position(fits) {
        Some(at) => {
            kept.used = true;
            Ok(kept.buffers.swap_remove(at))
        }
        // Whoever asks for a little less, or more, next time finds one that fits.
        None => room(len.next_multiple_of(STEP)),
    }
}

/// Gives a buffer back.
pub(crate) fn give(mut buffer: Vec<u8>) {
    if !(SMALLEST..=LARGEST).contains(&buffer.capacity()) {
        return;
    }
    buffer.clear();
    let mut kept = spare();
    if kept.buffers.len() < KEPT {
        kept.buffers.push(buffer);
    } else if let Some(smaller) =
        (kept.buffers.iter_mut()).find(|each| each.capacity() < buffer.capacity())
    {
        *smaller = buffer;
    }
}

/// The bytes without the room that a short read has not filled; that room is given back.
pub(crate) fn trimmed(buffer: Vec<u8>) -> Vec<u8> {
    if buffer.len() >= buffer.capacity() / 2 {
        return buffer;
    }
    let exact = buffer.as_slice().to_vec();
    give(buffer);
    exact
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_not_to_be_had_is_an_error_and_not_the_end_of_the_process() {
        let more_than_there_is = isize::MAX as usize;
        assert_eq!(room(more_than_there_is), Err(Errno::NOMEM));
        assert_eq!(zeros(more_than_there_is), Err(Errno::NOMEM));
        assert_eq!(take(more_than_there_is), Err(Errno::NOMEM));
        assert_eq!(
            make_room(&mut vec![1], more_than_there_is),
            Err(Errno::NOMEM)
        );
    }

    #[test]
    fn a_large_buffer_is_used_again_empty_and_a_short_read_keeps_its_bytes_only() {
        let mut first = take(LARGEST).unwrap();
        first.extend_from_slice(b"old");
        let place = first.as_ptr();
        let short = trimmed(first);
        assert_eq!((short.as_slice(), short.capacity()), (&b"old"[..], 3));
        let too_small_for_that = take(SMALLEST).unwrap();
        assert_ne!(too_small_for_that.as_ptr(), place);
        let second = take(LARGEST).unwrap();
        assert_eq!((second.as_ptr(), second.len()), (place, 0));
        give(second);
        give(Vec::with_capacity(LARGEST + 1));
        give(Vec::with_capacity(SMALLEST - 1));
        assert_eq!(spare().buffers.len(), 1);
        for _ in 0..KEPT {
            give(Vec::with_capacity(LARGEST));
        }
        assert_eq!(spare().buffers.len(), KEPT);
        assert!(release_unused());
        let of_another_size = take(LARGEST - 1).unwrap();
        assert_eq!(of_another_size.capacity(), LARGEST);
        give(of_another_size);
        assert!(release_unused());
        assert!(!release_unused());
        assert_eq!(take(LARGEST - 1).unwrap().capacity(), LARGEST);
    }
}

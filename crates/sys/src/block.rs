//! Blocks: bulk data that a script passes on by a number, without seeing it.
//!
//! What comes out of a pipe can stay in the kernel: its pages move into a pipe of ours, and from there to where they are
//! written (splice(2)). That saves the two copies through our memory, which are a quarter of what a container's output costs
//! under software emulation.

use crate::error::{Context, OpError, Res, check};
use crate::reactor::{Direction, Hold, Kind, hold};
use crate::spare;
use crate::stream::{read_some, write_all};
use crate::table::{ops, wire};
use crate::value::Bytes;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};
use std::collections::BTreeMap;
use std::future::Future;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

wire! {
    /// Bytes in native memory; free it by writeBlock or freeBlock. len 0: end of file, and no block.
    pub struct Block { pub block: u32, pub len: u32 }
}

ops! {
    /// One read of at most max bytes into native memory; len 0 = end of file (no block then).
    later read_block(fd: i32, max: u32) -> Block;
    /// As read_block; what a pipe holds, if it is 64 KiB or more, stays in the kernel's pages until it is written.
    later read_pages(fd: i32, max: u32) -> Block;
    /// Reads exactly len bytes into native memory (a frame's payload); ECONNRESET at a premature end.
    later read_block_exact(fd: i32, len: u32) -> Block;
    /// Writes head, then the block, all of it; frees the block, also when it fails.
    later write_block(fd: i32, head: Bytes, block: u32) -> ();
    sync free_block(block: u32) -> ();
}

/// Less is cheaper to copy than to move.
const MOVED_FROM: usize = 64 << 10;
const SPLICE: SpliceFlags = SpliceFlags::MOVE.union(SpliceFlags::NONBLOCK);
/// What a pipe of ours holds; the most that anybody may ask for (/proc/sys/fs/pipe-max-size).
const PIPE_BYTES: usize = 1 << 20;

enum Data {
    Memory(Vec<u8>),
    /// The reading end of a pipe of ours that holds so many bytes.
    Pages(OwnedFd, usize),
}

impl Data {
    fn len(&self) -> usize {
        match self {
            Data::Memory(bytes) => bytes.len(),
            Data::Pages(_, len) => *len,
        }
    }

    fn free(self) {
        match self {
            Data::Memory(buffer) => spare::give(buffer),
            Data::Pages(..) => {} // closed with what it holds
        }
    }
}

static BLOCKS: Mutex<BTreeMap<u32, Data>> = Mutex::new(BTreeMap::new());
static NEXT_BLOCK: AtomicU32 = AtomicU32::new(1);

fn blocks() -> MutexGuard<'static, BTreeMap<u32, Data>> {
    BLOCKS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep(data: Data) -> Block {
    let len = data.len() as u32;
    if len == 0 {
        data.free();
        return Block { block: 0, len };
    }
    let block = NEXT_BLOCK.fetch_add(1, Ordering::Relaxed);
    blocks().insert(block, data);
    Block { block, len }
}

fn taken(block: u32) -> Res<Data> {
    blocks().remove(&block).ok_or_else(|| OpError {
        text: Some(format!("no block {block}")),
        ..OpError::new(libc::EBADF, "block")
    })
}

/// The pages of a pipe that holds enough of them; None: to be read as anything else is.
fn move_out(fd: RawFd, max: usize) -> Option<Data> {
    let mut waiting: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int.
    check(unsafe { libc::ioctl(fd, libc::FIONREAD, &raw mut waiting) }).ok()?;
    if max.min(waiting as usize) < MOVED_FROM {
        return None;
    }
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
    // The user's limit of pipe pages may forbid it: then fewer are moved.
    let _ = rustix::pipe::fcntl_setpipe_size(&writer, PIPE_BYTES);
    // SAFETY: the caller's hold keeps the descriptor.
    let source = unsafe { BorrowedFd::borrow_raw(fd) };
    match splice(source, None, &writer, None, max, SPLICE) {
        Ok(len) if len > 0 => Some(Data::Pages(reader, len)),
        // Not a pipe, or another reader was quicker.
        _ => None,
    }
}

/// The bytes of a pipe of ours, which are so many.
fn drain(reader: &OwnedFd, len: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = spare::take(len)?;
    while bytes.len() < len {
        if rustix::io::read(reader, rustix::buffer::spare_capacity(&mut bytes))? == 0 {
            return Err(Errno::IO); // nobody else has this pipe
        }
    }
    Ok(bytes)
}

fn read_block(fd: i32, max: u32) -> Res<impl Future<Output = Res<Block>> + Send> {
    read(fd, max, |_, _| None)
}

fn read_pages(fd: i32, max: u32) -> Res<impl Future<Output = Res<Block>> + Send> {
    read(fd, max, move_out)
}

/// One read, by `quickly` if it can.
fn read(
    fd: i32,
    max: u32,
    quickly: fn(RawFd, usize) -> Option<Data>,
) -> Res<impl Future<Output = Res<Block>> + Send> {
    let hold = hold(fd)?;
    Ok(async move {
        let max = max as usize;
        let mut buffer = Vec::new();
        let data = hold
            .attempt(Direction::Read, |fd, state| {
                if let Some(moved) = quickly(fd, max) {
                    return Ok(moved);
                }
                read_some(fd, state, &mut buffer, max)?;
                Ok(Data::Memory(spare::trimmed(std::mem::take(&mut buffer))))
            })
            .await
            .call("read")?;
        Ok(keep(data))
    })
}

fn read_block_exact(fd: i32, len: u32) -> Res<impl Future<Output = Res<Block>> + Send> {
    let hold = hold(fd)?;
    Ok(async move {
        let len = len as usize;
        let mut buffer = spare::take(len).call("read")?;
        while buffer.len() < len {
            let left = len - buffer.len();
            let count = hold
                .attempt(Direction::Read, |fd, state| {
                    read_some(fd, state, &mut buffer, left)
                })
                .await
                .call("read")?;
            if count == 0 {
                return Err(OpError::new(libc::ECONNRESET, "read"));
            }
        }
        Ok(keep(Data::Memory(spare::trimmed(buffer))))
    })
}

fn write_block(fd: i32, head: Bytes, block: u32) -> Res<impl Future<Output = Res<()>> + Send> {
    let data = taken(block)?;
    let hold = hold(fd)?;
    Ok(async move {
        match data {
            Data::Memory(body) => {
                let written = write_all(&hold, &head.0, &body).await.call("write");
                spare::give(body);
                written
            }
            Data::Pages(pages, len) => write_pages(&hold, &head.0, &pages, len).await.call("write"),
        }
    })
}

/// Writes head and then all that the pipe holds, which are so many bytes.
async fn write_pages(
    hold: &Hold,
    head: &[u8],
    pages: &OwnedFd,
    mut len: usize,
) -> Result<(), Errno> {
    // Before anything else: a head alone, and then the pages.
    write_all(hold, head, &[]).await?;
    while len > 0 {
        let moved = hold
            .attempt(Direction::Write, |fd, state| match state.kind {
                Kind::Nonblocking => move_in(fd, pages, len),
                // splice(2) knows no MSG_DONTWAIT.
                _ => Ok(None),
            })
            .await?;
        let Some(count) = moved else {
            let body = drain(pages, len)?;
            let written = write_all(hold, &[], &body).await;
            spare::give(body);
            return written;
        };
        len -= count;
    }
    Ok(())
}

/// Bytes that went from a pipe of ours to a descriptor; None when it takes no pages. `len` are all that the pipe holds, never
/// fewer: a virtio-serial port's driver maps as many pages as the pipe has, filled in or not (virtio_console.c,
/// port_fops_splice_write), and the kernel dies of one that is not.
fn move_in(fd: RawFd, pages: &OwnedFd, len: usize) -> Result<Option<usize>, Errno> {
    // SAFETY: the caller's hold keeps the descriptor.
    let to = unsafe { BorrowedFd::borrow_raw(fd) };
    match splice(pages.as_fd(), None, to, None, len, SPLICE) {
        // A port whose queue had no room after all: it has dropped them.
        Ok(0) => Err(Errno::IO),
        Ok(count) => Ok(Some(count)),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOMEM) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn free_block(block: u32) -> Res<()> {
    if block == 0 {
        Ok(())
    } else {
        taken(block).map(Data::free)
    }
}

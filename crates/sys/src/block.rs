//! Blocks: bulk data that a script passes on by a number, without seeing it.

use crate::error::{Context, OpError, Res};
use crate::reactor::{Direction, hold};
use crate::spare;
use crate::stream::{read_once, read_some, write_all};
use crate::table::{ops, wire};
use crate::value::Bytes;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

wire! {
    /// Bytes in native memory; free it by writeBlock or freeBlock. len 0: end of file, and no block.
    pub struct Block { pub block: u32, pub len: u32 }
}

ops! {
    /// One read of at most max bytes into native memory; len 0 = end of file (no block then).
    later read_block(fd: i32, max: u32) -> Block;
    /// Reads exactly len bytes into native memory (a frame's payload); ECONNRESET at a premature end.
    later read_block_exact(fd: i32, len: u32) -> Block;
    /// Writes head, then the block, all of it; frees the block, also when it fails.
    later write_block(fd: i32, head: Bytes, block: u32) -> ();
    sync free_block(block: u32) -> ();
}

static BLOCKS: Mutex<BTreeMap<u32, Vec<u8>>> = Mutex::new(BTreeMap::new());
static NEXT_BLOCK: AtomicU32 = AtomicU32::new(1);

fn blocks() -> MutexGuard<'static, BTreeMap<u32, Vec<u8>>> {
    BLOCKS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep(buffer: Vec<u8>) -> Block {
    let len = buffer.len() as u32;
    if len == 0 {
        spare::give(buffer);
        return Block { block: 0, len };
    }
    let block = NEXT_BLOCK.fetch_add(1, Ordering::Relaxed);
    blocks().insert(block, buffer);
    Block { block, len }
}

fn taken(block: u32) -> Res<Vec<u8>> {
    blocks().remove(&block).ok_or_else(|| OpError {
        text: Some(format!("no block {block}")),
        ..OpError::new(libc::EBADF, "block")
    })
}

fn read_block(fd: i32, max: u32) -> Res<impl Future<Output = Res<Block>> + Send> {
    let hold = hold(fd)?;
    Ok(async move { read_once(&hold, max).await.map(keep) })
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
        Ok(keep(spare::trimmed(buffer)))
    })
}

fn write_block(fd: i32, head: Bytes, block: u32) -> Res<impl Future<Output = Res<()>> + Send> {
    let body = taken(block)?;
    let hold = hold(fd)?;
    Ok(async move {
        let written = write_all(&hold, &head.0, &body).await.call("write");
        spare::give(body);
        written
    })
}

fn free_block(block: u32) -> Res<()> {
    if block == 0 {
        Ok(())
    } else {
        taken(block).map(spare::give)
    }
}

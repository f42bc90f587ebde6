//! Streams: pipes, sockets, terminals, character devices. Regular files work too, at once.
//!
//! A descriptor we were given may be shared with other programs, so its O_NONBLOCK is never changed; see [`read_some`]
//! and [`write_some`] for how a call is kept from blocking.

use crate::error::{Context, OpError, Res, check, last_errno};
use crate::reactor::{self, Direction, Hold, Kind, State, hold, polled};
use crate::spare;
use crate::table::{ops, wire};
use crate::value::Bytes;
use rustix::io::Errno;
use std::future::Future;
use std::io::IoSlice;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

wire! {}

ops! {
    /// One read of at most max bytes; empty = end of file.
    later read(fd: i32, max: u32) -> Bytes;
    /// All bytes.
    later write(fd: i32, bytes: Bytes) -> ();
    /// Forgets past readiness, resolves at the next readability edge (a virtio-serial port whose host went away reads 0 at once).
    later readable_edge(fd: i32) -> ();
    /// Ends every pending async op on fd with ECANCELED.
    sync cancel(fd: i32) -> ();
    /// Copies until the end of src, or until cancel(src); returns the bytes copied.
    later pump(src: i32, dst: i32) -> u64;
    /// [read, write]
    sync pipe() -> Vec<i32>;
    /// F_SETPIPE_SZ; returns the size it got.
    sync set_pipe_size(fd: i32, bytes: u32) -> u32;
    /// Waits until poll(2) reports input (pidfd, eventfd, netlink, inotify).
    later readable(fd: i32) -> ();
    /// A non-blocking eventfd(2) at 0.
    sync eventfd() -> i32;
    /// A non-blocking inotify(7) descriptor that watches one path for the events of the mask (IN_*).
    sync inotify(path: String, mask: u32) -> i32;
}

/// POSIX: a write of at most this many bytes to a pipe that polls writable does not block.
const PIPE_BUF: usize = 4096;
/// A terminal that polls writable has some room; how much cannot be asked.
const DEVICE_CHUNK: usize = 256;

/// A virtio-serial port takes this much at a time, and whoever writes more gets to know how much was taken. Of a vector it takes one
/// slice after the other: one call in place of sixty-four (drivers/char/virtio_console.c, fs/read_write.c).
const DEVICE_SLICE: usize = 32 << 10;
/// Slices of one call: 2 MiB, and what comes before them.
const DEVICE_SLICES: usize = 65;

/// One read that does not block, into the vector's spare capacity (at most `max` bytes).
pub(crate) fn read_some(
    fd: RawFd,
    state: &mut State,
    buffer: &mut Vec<u8>,
    max: usize,
) -> Result<usize, Errno> {
    if state.kind == Kind::Device || (state.kind == Kind::Pipe && state.nowait == Some(false)) {
        // Ready for one read, unless another reader of the same description is quicker.
        polled(fd, libc::POLLIN)?;
    }
    if buffer.capacity() == 0 {
        *buffer = spare::take(max)?;
    }
    spare::make_room(buffer, max)?;
    let at = buffer
        .spare_capacity_mut()
        .as_mut_ptr()
        .cast::<libc::c_void>();
    let count = match state.kind {
        // SAFETY: `at` has room for `max` bytes, and the kernel writes no more.
        Kind::Socket => unsafe { libc::recv(fd, at, max, libc::MSG_DONTWAIT) },
        Kind::Pipe if state.nowait != Some(false) => {
            let vector = libc::iovec {
                iov_base: at,
                iov_len: max,
            };
            // SAFETY: as above; one vector.
            unsafe { libc::preadv2(fd, &raw const vector, 1, -1, libc::RWF_NOWAIT) }
        }
        // SAFETY: as above.
        _ => unsafe { libc::read(fd, at, max) },
    };
    if count < 0 {
        let errno = last_errno();
        if state.kind == Kind::Pipe
            && state.nowait.is_none()
            && matches!(errno, Errno::OPNOTSUPP | Errno::NOSYS)
        {
            state.nowait = Some(false);
            return read_some(fd, state, buffer, max);
        }
        if buffer.is_empty() {
            spare::give(std::mem::take(buffer)); // who waits holds no memory
        }
        return Err(errno);
    }
    // SAFETY: the kernel has filled `count` bytes.
    unsafe { buffer.set_len(buffer.len() + count as usize) };
    Ok(count as usize)
}

/// One write that does not block; returns how many bytes were taken.
pub(crate) fn write_some(
    fd: RawFd,
    state: &mut State,
    slices: &[IoSlice<'_>],
) -> Result<usize, Errno> {
    let vector = slices.as_ptr().cast::<libc::iovec>();
    let count = match state.kind {
        Kind::Socket => return send_some(fd, slices),
        Kind::Nonblocking => {
            let pieces: Vec<IoSlice<'_>> = (slices.iter())
                .flat_map(|slice| slice.chunks(DEVICE_SLICE))
                .take(DEVICE_SLICES)
                .map(IoSlice::new)
                .collect();
            // SAFETY: IoSlice is an iovec (documented); the slices outlive the call.
            unsafe { libc::writev(fd, pieces.as_ptr().cast(), pieces.len() as i32) }
        }
        Kind::File => {
            // SAFETY: as above.
            unsafe { libc::writev(fd, vector, slices.len() as i32) }
        }
        Kind::Pipe if state.nowait != Some(false) => {
            // SAFETY: as above.
            unsafe { libc::pwritev2(fd, vector, slices.len() as i32, -1, libc::RWF_NOWAIT) }
        }
        Kind::Pipe | Kind::Device => match reopened(fd, state) {
            // SAFETY: as above.
            Some(writer) => unsafe { libc::writev(writer, vector, slices.len() as i32) },
            None => return write_chunk(fd, state.kind, slices),
        },
    };
    if count >= 0 {
        return Ok(count as usize);
    }
    let errno = last_errno();
    if state.kind == Kind::Pipe
        && state.nowait.is_none()
        && matches!(errno, Errno::OPNOTSUPP | Errno::NOSYS)
    {
        state.nowait = Some(false);
        return write_some(fd, state, slices);
    }
    Err(errno)
}

fn send_some(fd: RawFd, slices: &[IoSlice<'_>]) -> Result<usize, Errno> {
    // SAFETY: a zeroed msghdr is an empty message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = slices.as_ptr().cast_mut().cast();
    message.msg_iovlen = slices.len();
    // SAFETY: sendmsg only reads the vectors, which outlive the call.
    Ok(check(unsafe {
        libc::sendmsg(
            fd,
            &raw const message,
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
        )
    } as i64)? as usize)
}

/// The same pipe or terminal through a description of our own.
fn reopened(fd: RawFd, state: &mut State) -> Option<RawFd> {
    let open = || {
        // SAFETY: isatty only asks.
        if state.kind == Kind::Device && unsafe { libc::isatty(fd) } == 0 {
            return None; // opening a device again may act on it
        }
        let path = std::ffi::CString::new(format!("/proc/self/fd/{fd}")).ok()?;
        let flags = libc::O_WRONLY | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
        // SAFETY: the path is a C string; the new descriptor is ours alone.
        check(unsafe { libc::open(path.as_ptr(), flags) })
            .ok()
            .map(|fd| unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
    };
    let writer = match state.writer.take() {
        Some(writer) => writer,
        None => open(),
    };
    state.writer.insert(writer).as_ref().map(AsRawFd::as_raw_fd)
}

fn write_chunk(fd: RawFd, kind: Kind, slices: &[IoSlice<'_>]) -> Result<usize, Errno> {
    polled(fd, libc::POLLOUT)?;
    let most = if kind == Kind::Pipe {
        PIPE_BUF
    } else {
        DEVICE_CHUNK
    };
    let Some(slice) = slices.iter().find(|slice| !slice.is_empty()) else {
        return Ok(0);
    };
    let chunk = &slice[..slice.len().min(most)];
    // SAFETY: the chunk outlives the call.
    Ok(check(unsafe { libc::write(fd, chunk.as_ptr().cast(), chunk.len()) } as i64)? as usize)
}

/// Writes all of head and body.
pub(crate) async fn write_all(hold: &Hold, head: &[u8], body: &[u8]) -> Result<(), Errno> {
    let mut slices = [IoSlice::new(head), IoSlice::new(body)];
    let mut left: &mut [IoSlice<'_>] = &mut slices;
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        let count = hold
            .attempt(Direction::Write, |fd, state| write_some(fd, state, left))
            .await?;
        IoSlice::advance_slices(&mut left, count);
    }
    Ok(())
}

/// One read of at most max bytes, without the room that it has not filled; empty = end of file.
pub(crate) async fn read_once(hold: &Hold, max: u32) -> Res<Vec<u8>> {
    let mut buffer = Vec::new();
    hold.attempt(Direction::Read, |fd, state| {
        read_some(fd, state, &mut buffer, max as usize)
    })
    .await
    .call("read")?;
    Ok(spare::trimmed(buffer))
}

fn read(fd: i32, max: u32) -> Res<impl Future<Output = Res<Bytes>> + Send> {
    let hold = hold(fd)?;
    Ok(async move { read_once(&hold, max).await.map(Bytes) })
}

fn write(fd: i32, bytes: Bytes) -> Res<impl Future<Output = Res<()>> + Send> {
    let hold = hold(fd)?;
    Ok(async move { write_all(&hold, &bytes.0, &[]).await.call("write") })
}

fn readable_edge(fd: i32) -> Res<impl Future<Output = Res<()>> + Send> {
    let edge = hold(fd)?.edge();
    Ok(async move { edge.await.map(|_| ()) })
}

fn cancel(fd: i32) -> Res<()> {
    reactor::cancel(fd);
    Ok(())
}

/// Bytes moved at a time: what a pipe of 1 MiB takes in a quarter.
const PUMP_CHUNK: usize = 256 << 10;

fn pump(src: i32, dst: i32) -> Res<impl Future<Output = Res<u64>> + Send> {
    let (from, to) = (hold(src)?, hold(dst)?);
    Ok(async move {
        let mut copied = 0u64;
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            let got = from
                .attempt(Direction::Read, |fd, state| {
                    read_some(fd, state, &mut buffer, PUMP_CHUNK)
                })
                .await;
            match got {
                Ok(0) | Err(Errno::CANCELED) => return Ok(copied),
                // A terminal's master reads EIO once no slave is open: its end of file.
                Err(Errno::IO) => return Ok(copied),
                Err(errno) => return Err(OpError::new(errno.raw_os_error(), "read")),
                Ok(_) => {}
            }
            write_all(&to, &buffer, &[]).await.call("write")?;
            copied += buffer.len() as u64;
        }
    })
}

fn pipe() -> Res<Vec<i32>> {
    let mut ends = [0; 2];
    // SAFETY: pipe2 writes two descriptors.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }).call("pipe2")?;
    Ok(ends.to_vec())
}

fn set_pipe_size(fd: i32, bytes: u32) -> Res<u32> {
    // SAFETY: no pointer.
    Ok(check(unsafe { libc::fcntl(fd, libc::F_SETPIPE_SZ, bytes) }).call("fcntl")? as u32)
}

fn readable(fd: i32) -> Res<impl Future<Output = Res<()>> + Send> {
    let hold = hold(fd)?;
    Ok(async move {
        hold.attempt(Direction::Read, |fd, _| polled(fd, libc::POLLIN))
            .await
            .call("poll")
    })
}

fn inotify(path: String, mask: u32) -> Res<i32> {
    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
    let fd = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).call("inotify_init1")?;
    add_watch(&fd, path.as_str(), WatchFlags::from_bits_retain(mask))
        .on("inotify_add_watch", &path)?;
    Ok(fd.into_raw_fd())
}

fn eventfd() -> Res<i32> {
    // SAFETY: no pointer.
    Ok(
        check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
            .call("eventfd")? as i32,
    )
}

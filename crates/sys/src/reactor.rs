//! Readiness of descriptors: one epoll set of our own, itself watched by tokio.
//!
//! tokio's AsyncFd is not used for the descriptors, because its closed states stick: a virtio-serial port reports HUP
//! while no host is connected and works again later, which would spin. Here an event is an edge, remembered until an
//! attempt finds that the descriptor would block.

use crate::error::{Context as _, OpError, Res, check, last_errno};
use crate::table::Later;
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::{Context, Poll, Waker};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What a descriptor is, as far as it decides how to read and write without blocking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Not pollable (regular file, directory, /dev/null): always ready.
    File,
    /// Takes MSG_DONTWAIT.
    Socket,
    /// O_NONBLOCK is set.
    Nonblocking,
    /// A pipe or FIFO without O_NONBLOCK.
    Pipe,
    /// Anything else without O_NONBLOCK: a terminal, a character device.
    Device,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// A descriptor under watch: made at the first async op on it, kept until `close`.
pub(crate) struct Source {
    pub fd: RawFd,
    generation: u32,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub kind: Kind,
    /// RWF_NOWAIT works on it; None: not tried yet.
    pub nowait: Option<bool>,
    /// The same pipe or terminal opened again with O_NONBLOCK, for writing; Some(None): could not be.
    pub writer: Option<Option<OwnedFd>>,
    readable: bool,
    writable: bool,
    closed: bool,
    /// Counts cancellations: an op that began under an older count ends.
    epoch: u64,
    wakers: Vec<Waker>,
}

impl State {
    fn ready(&mut self, direction: Direction) -> &mut bool {
        match direction {
            Direction::Read => &mut self.readable,
            Direction::Write => &mut self.writable,
        }
    }

    fn park(&mut self, waker: &Waker) {
        if !self.wakers.iter().any(|parked| parked.will_wake(waker)) {
            self.wakers.push(waker.clone());
        }
    }
}

static SOURCES: Mutex<BTreeMap<RawFd, Arc<Source>>> = Mutex::new(BTreeMap::new());
static GENERATION: AtomicU32 = AtomicU32::new(1);
static EPOLL: OnceLock<OwnedFd> = OnceLock::new();
static DRIVEN: AtomicBool = AtomicBool::new(false);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// An op's hold on a source: made when the op is called, so that a later `cancel` or `close` ends it.
#[derive(Clone)]
pub(crate) struct Hold {
    pub source: Arc<Source>,
    epoch: u64,
}

/// Puts a descriptor under watch, if it is not yet.
pub(crate) fn hold(fd: RawFd) -> Res<Hold> {
    let mut sources = lock(&SOURCES);
    let source = match sources.get(&fd) {
        Some(source) => source.clone(),
        None => {
            let source = watch(fd)?;
            sources.insert(fd, source.clone());
            source
        }
    };
    let epoch = lock(&source.state).epoch;
    Ok(Hold { source, epoch })
}

fn kind_of(fd: RawFd) -> Result<Kind, Errno> {
    // SAFETY: stat is plain data that fstat fills; a bad descriptor is an error.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    check(unsafe { libc::fstat(fd, &raw mut stat) })?;
    // SAFETY: F_GETFL takes no pointer.
    let flags = check(unsafe { libc::fcntl(fd, libc::F_GETFL) })? as i32;
    Ok(match stat.st_mode & libc::S_IFMT {
        libc::S_IFSOCK => Kind::Socket,
        _ if flags & libc::O_NONBLOCK != 0 => Kind::Nonblocking,
        libc::S_IFIFO => Kind::Pipe,
        libc::S_IFCHR if is_pty_master(fd) && fd > 2 => {
            // The master's description is the terminal's maker's own, and opening it again would make a new terminal.
            // SAFETY: F_SETFL takes no pointer.
            check(unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) })?;
            Kind::Nonblocking
        }
        _ => Kind::Device,
    })
}

fn is_pty_master(fd: RawFd) -> bool {
    let mut number = 0u32;
    // SAFETY: TIOCGPTN writes one unsigned int.
    unsafe { libc::ioctl(fd, libc::TIOCGPTN, &raw mut number) == 0 }
}

fn watch(fd: RawFd) -> Res<Arc<Source>> {
    let mut kind = kind_of(fd).call("fstat")?;
    let generation = GENERATION.fetch_add(1, Ordering::Relaxed);
    let interest = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
    let mut event = libc::epoll_event {
        events: interest as u32,
        u64: u64::from(generation) << 32 | fd as u64,
    };
    // SAFETY: the event outlives the call.
    let added =
        check(unsafe { libc::epoll_ctl(epoll()?, libc::EPOLL_CTL_ADD, fd, &raw mut event) });
    match added {
        Ok(_) => {}
        Err(Errno::PERM) => kind = Kind::File,
        Err(errno) => return Err(OpError::new(errno.raw_os_error(), "epoll_ctl")),
    }
    let state = State {
        kind,
        nowait: None,
        writer: None,
        readable: true,
        writable: true,
        closed: false,
        epoch: 0,
        wakers: Vec::new(),
    };
    Ok(Arc::new(Source {
        fd,
        generation,
        state: Mutex::new(state),
    }))
}

/// The epoll set; its driver runs from the first use on.
fn epoll() -> Res<RawFd> {
    let epoll = match EPOLL.get() {
        Some(epoll) => epoll,
        None => {
            // SAFETY: the new descriptor is ours alone.
            let made = unsafe {
                OwnedFd::from_raw_fd(
                    check(libc::epoll_create1(libc::EPOLL_CLOEXEC)).call("epoll_create1")? as RawFd,
                )
            };
            EPOLL.get_or_init(|| made)
        }
    };
    let fd = epoll.as_raw_fd();
    if !DRIVEN.load(Ordering::Relaxed) {
        // Here, not in the driver's task: without it no wait would ever end, so the op that needs it must fail.
        // SAFETY: the set lives as long as the process (EPOLL is never emptied), and always as this descriptor.
        let watched = unsafe {
            AsyncFd::register_with_interest(BorrowedFd::borrow_raw(fd), Interest::READABLE)
        };
        let watched = watched.map_err(|error| {
            let errno = error.into_parts().1.raw_os_error();
            OpError::new(errno.unwrap_or(libc::EIO), "epoll_ctl")
        })?;
        DRIVEN.store(true, Ordering::Relaxed);
        tokio::spawn(drive(watched));
    }
    Ok(fd)
}

async fn drive(watched: AsyncFd<BorrowedFd<'static>>) {
    while let Ok(mut guard) = watched.readable().await {
        turn(watched.as_raw_fd());
        guard.clear_ready();
    }
}

/// Takes in all events that are there.
fn turn(epoll: RawFd) {
    const BATCH: usize = 64;
    loop {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; BATCH];
        // SAFETY: the kernel writes at most BATCH events.
        let count = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), BATCH as i32, 0) };
        for event in events.iter().take(count.max(0) as usize) {
            dispatch(event.u64, event.events as i32);
        }
        if count < BATCH as i32 {
            return;
        }
    }
}

fn dispatch(data: u64, events: i32) {
    let source = lock(&SOURCES).get(&(data as u32 as RawFd)).cloned();
    let Some(source) = source.filter(|source| u64::from(source.generation) == data >> 32) else {
        return;
    };
    let mut state = lock(&source.state);
    let broken = libc::EPOLLHUP | libc::EPOLLERR;
    state.readable |= events & (libc::EPOLLIN | libc::EPOLLRDHUP | broken) != 0;
    state.writable |= events & (libc::EPOLLOUT | broken) != 0;
    wake(state);
}

fn wake(mut state: MutexGuard<'_, State>) {
    let wakers = std::mem::take(&mut state.wakers);
    drop(state);
    for waker in wakers {
        waker.wake();
    }
}

/// Ends every pending op on the descriptor with ECANCELED.
pub(crate) fn cancel(fd: RawFd) {
    let source = lock(&SOURCES).get(&fd).cloned();
    if let Some(source) = source {
        let mut state = lock(&source.state);
        state.epoch += 1;
        wake(state);
    }
}

/// Takes the descriptor out of the watch, before it is closed or replaced; ends pending ops with ECANCELED.
pub(crate) fn forget(fd: RawFd) {
    let Some(source) = lock(&SOURCES).remove(&fd) else {
        return;
    };
    let mut state = lock(&source.state);
    if state.kind != Kind::File
        && let Some(epoll) = EPOLL.get()
    {
        // SAFETY: deletion takes no event.
        unsafe {
            libc::epoll_ctl(
                epoll.as_raw_fd(),
                libc::EPOLL_CTL_DEL,
                fd,
                std::ptr::null_mut(),
            )
        };
    }
    state.closed = true;
    state.writer = None;
    wake(state);
}

/// The descriptor's O_NONBLOCK has changed.
pub(crate) fn reconsider(fd: RawFd) {
    let source = lock(&SOURCES).get(&fd).cloned();
    if let (Some(source), Ok(kind)) = (source, kind_of(fd)) {
        let mut state = lock(&source.state);
        if state.kind != Kind::File {
            state.kind = kind;
        }
    }
}

impl Hold {
    pub fn fd(&self) -> RawFd {
        self.source.fd
    }

    fn ended(&self, state: &State) -> bool {
        state.closed || state.epoch != self.epoch
    }

    /// Attempts until it does not say EAGAIN, waiting for an edge after each that does. ECANCELED after `cancel` or `close`.
    pub async fn attempt<T>(
        &self,
        direction: Direction,
        mut attempt: impl FnMut(RawFd, &mut State) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        tokio::task::coop::consume_budget().await;
        poll_fn(|context| self.poll(context, direction, &mut attempt)).await
    }

    fn poll<T>(
        &self,
        context: &mut Context<'_>,
        direction: Direction,
        attempt: &mut impl FnMut(RawFd, &mut State) -> Result<T, Errno>,
    ) -> Poll<Result<T, Errno>> {
        // Held during the attempt, so that nobody parks on a readiness that the attempt has taken away for its own time.
        let mut state = lock(&self.source.state);
        loop {
            if self.ended(&state) {
                return Poll::Ready(Err(Errno::CANCELED));
            }
            if !*state.ready(direction) {
                state.park(context.waker());
                return Poll::Pending;
            }
            match attempt(self.source.fd, &mut state) {
                // An edge that comes during the attempt is dispatched after it, and sets this again.
                Err(Errno::AGAIN) if state.kind != Kind::File => *state.ready(direction) = false,
                Err(Errno::INTR) => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// Forgets past readiness; the future resolves at the next edge.
    pub fn edge(self) -> Later {
        if let Some(epoll) = EPOLL.get() {
            turn(epoll.as_raw_fd());
        }
        {
            let mut state = lock(&self.source.state);
            if state.kind != Kind::File {
                state.readable = false;
            }
        }
        Box::pin(async move {
            self.attempt(Direction::Read, |_, _| Ok(()))
                .await
                .call("poll")?;
            Ok(crate::value::Value::Nothing)
        })
    }
}

/// Whether poll(2) reports one of the events now.
pub(crate) fn polled(fd: RawFd, events: i16) -> Result<(), Errno> {
    let mut poll = libc::pollfd {
        fd,
        events,
        revents: 0,
    };
    // SAFETY: one pollfd, no time-out.
    match unsafe { libc::poll(&raw mut poll, 1, 0) } {
        0 => Err(Errno::AGAIN),
        1 => Ok(()),
        _ => Err(last_errno()),
    }
}

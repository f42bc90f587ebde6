//! Sockets: unix (with descriptor passing) and vsock.

use crate::error::{Context, OpError, Res, check};
use crate::process::c_string;
use crate::reactor::{Direction, Hold, hold, polled};
use crate::stream::write_all;
use crate::table::{ops, wire};
use crate::value::Bytes;
use rustix::io::Errno;
use std::future::Future;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;

wire! {
    pub struct Received { pub data: Bytes, pub fds: Vec<i32> }
    pub struct UnixPeer { pub pid: i32, pub uid: u32, pub gid: u32 }
    pub struct VsockAccepted { pub fd: i32, pub cid: u32, pub port: u32 }
}

ops! {
    /// Does not remove what is at the path: EADDRINUSE. mode: the socket file's from its first moment on (0o777 less the umask).
    sync unix_listen(path: String, backlog: i32, mode: Option<u32>) -> i32;
    /// ETIMEDOUT when the listener's backlog stays full for 10 s.
    later unix_connect(path: String) -> i32;
    later accept(fd: i32) -> i32;
    /// AF_UNIX; type: SOCK.STREAM, DGRAM, SEQPACKET.
    sync socketpair(type_: i32) -> Vec<i32>;
    /// SCM_RIGHTS with the first byte.
    later send_fds(fd: i32, bytes: Bytes, fds: Vec<i32>) -> ();
    /// data empty = end of file; MSG_CMSG_CLOEXEC.
    later recv_fds(fd: i32, max: u32) -> Received;
    /// SO_PEERCRED
    sync unix_peer(fd: i32) -> UnixPeer;
    sync shutdown(fd: i32, how: i32) -> ();
    sync vsock_listen(port: u32) -> i32;
    later vsock_accept(fd: i32) -> VsockAccepted;
    later vsock_connect(cid: u32, port: u32) -> i32;
}

/// SCM_MAX_FD of the kernel: the most descriptors one message carries.
const MAX_FDS: usize = 253;

fn socket(family: i32, kind: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: no pointer; the new descriptor is ours alone.
    Ok(unsafe {
        OwnedFd::from_raw_fd(check(libc::socket(family, kind | libc::SOCK_CLOEXEC, 0))? as RawFd)
    })
}

fn unix_address(path: &str) -> Res<(libc::sockaddr_un, u32)> {
    // SAFETY: sockaddr_un is plain data.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as u16;
    let bytes = c_string(path)?.into_bytes();
    if bytes.len() >= address.sun_path.len() {
        return Err(Errno::NAMETOOLONG).on("unix socket", path);
    }
    for (to, from) in address.sun_path.iter_mut().zip(&bytes) {
        *to = *from as libc::c_char;
    }
    Ok((address, (size_of::<u16>() + bytes.len() + 1) as u32))
}

fn unix_listen(path: String, backlog: i32, mode: Option<u32>) -> Res<i32> {
    let (address, len) = unix_address(&path)?;
    let socket = socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_NONBLOCK).call("socket")?;
    if let Some(mode) = mode {
        // bind(2) makes the file with the mode of the socket's own inode.
        // SAFETY: no pointer.
        check(unsafe { libc::fchmod(socket.as_raw_fd(), mode) }).on("fchmod", &path)?;
    }
    // SAFETY: the address outlives the call.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) })
        .on("bind", &path)?;
    // SAFETY: no pointer.
    check(unsafe { libc::listen(socket.as_raw_fd(), backlog) }).on("listen", &path)?;
    Ok(socket.into_raw_fd())
}

/// Takes O_NONBLOCK off again: the descriptor may become a child's stdio.
pub(crate) fn settled(socket: OwnedFd) -> i32 {
    // SAFETY: no pointer.
    unsafe {
        let flags = libc::fcntl(socket.as_raw_fd(), libc::F_GETFL);
        libc::fcntl(socket.as_raw_fd(), libc::F_SETFL, flags & !libc::O_NONBLOCK);
    }
    socket.into_raw_fd()
}

fn unix_connect(path: String) -> Res<impl Future<Output = Res<i32>> + Send> {
    const FULL_BACKLOG_MS: u64 = 10;
    const FULL_BACKLOG_TRIES: u32 = 1000;
    let (address, len) = unix_address(&path)?;
    let socket = socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_NONBLOCK).call("socket")?;
    let attempt = move |fd: RawFd| {
        // SAFETY: the address outlives the call.
        check(unsafe { libc::connect(fd, (&raw const address).cast(), len) })
    };
    Ok(async move {
        for _ in 0..FULL_BACKLOG_TRIES {
            match attempt(socket.as_raw_fd()) {
                // Where connect(2) would block; there is no event for it.
                Err(Errno::AGAIN | Errno::INTR) => {
                    tokio::time::sleep(Duration::from_millis(FULL_BACKLOG_MS)).await
                }
                Err(errno) => return Err(errno).on("connect", &path),
                Ok(_) => return Ok(settled(socket)),
            }
        }
        Err(Errno::TIMEDOUT).on("connect", &path)
    })
}

/// accept4(2) that does not block, with the peer's address in `address`.
async fn accepted<A: Copy + Send>(hold: &Hold, mut address: A) -> Result<(OwnedFd, A), Errno> {
    hold.attempt(Direction::Read, |fd, _| {
        polled(fd, libc::POLLIN)?; // a listener we have inherited may be blocking
        let mut len = size_of::<A>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `len` bytes of address; the new descriptor is ours alone.
        unsafe {
            let accepted = check(libc::accept4(
                fd,
                (&raw mut address).cast(),
                &raw mut len,
                libc::SOCK_CLOEXEC,
            ))?;
            Ok((OwnedFd::from_raw_fd(accepted as RawFd), address))
        }
    })
    .await
}

fn accept(fd: i32) -> Res<impl Future<Output = Res<i32>> + Send> {
    let hold = hold(fd)?;
    Ok(async move {
        // SAFETY: sockaddr_storage is plain data.
        let address: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        Ok(accepted(&hold, address)
            .await
            .call("accept")?
            .0
            .into_raw_fd())
    })
}

fn socketpair(type_: i32) -> Res<Vec<i32>> {
    let mut pair = [0; 2];
    // SAFETY: socketpair writes two descriptors.
    check(unsafe {
        libc::socketpair(
            libc::AF_UNIX,
            type_ | libc::SOCK_CLOEXEC,
            0,
            pair.as_mut_ptr(),
        )
    })
    .call("socketpair")?;
    Ok(pair.to_vec())
}

/// A control message buffer: aligned as cmsghdr wants it.
fn control_buffer(fds: usize) -> Vec<u64> {
    // SAFETY: CMSG_SPACE only computes.
    let space = unsafe { libc::CMSG_SPACE((fds * size_of::<RawFd>()) as u32) } as usize;
    vec![0; space.div_ceil(size_of::<u64>())]
}

fn send_with_fds(socket: RawFd, bytes: &[u8], fds: &[RawFd]) -> Result<usize, Errno> {
    let mut control = control_buffer(fds.len());
    let vector = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: the control buffer has room for one header and the descriptors; sendmsg only reads.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = (&raw const vector).cast_mut();
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(size_of_val(fds) as u32) as usize;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of_val(fds) as u32) as usize;
        std::ptr::copy_nonoverlapping(
            fds.as_ptr().cast::<u8>(),
            libc::CMSG_DATA(header),
            size_of_val(fds),
        );
        Ok(check(libc::sendmsg(
            socket,
            &raw const message,
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
        ) as i64)? as usize)
    }
}

fn send_fds(fd: i32, bytes: Bytes, fds: Vec<i32>) -> Res<impl Future<Output = Res<()>> + Send> {
    if bytes.0.is_empty() || fds.len() > MAX_FDS {
        return Err(OpError::argument(
            "bytes, fds",
            "at least one byte and at most 253 descriptors",
        ));
    }
    let hold = hold(fd)?;
    Ok(async move {
        let mut sent = 0;
        if !fds.is_empty() {
            sent = hold
                .attempt(Direction::Write, |socket, _| {
                    send_with_fds(socket, &bytes.0, &fds)
                })
                .await
                .call("sendmsg")?;
        }
        write_all(&hold, &bytes.0[sent..], &[])
            .await
            .call("sendmsg")
    })
}

fn recv_with_fds(socket: RawFd, buffer: &mut Vec<u8>, max: usize) -> Result<Vec<RawFd>, Errno> {
    crate::spare::make_room(buffer, max)?;
    let mut control = control_buffer(MAX_FDS);
    let mut vector = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: max,
    };
    // SAFETY: the kernel writes at most `max` bytes and a control buffer's worth of whole messages.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut vector;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&*control);
        let count = check(libc::recvmsg(
            socket,
            &raw mut message,
            libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC,
        ) as i64)?;
        buffer.set_len(count as usize);
        let mut fds = Vec::new();
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                let count = ((*header).cmsg_len - libc::CMSG_LEN(0) as usize) / size_of::<RawFd>();
                let first = libc::CMSG_DATA(header).cast::<RawFd>();
                fds.extend((0..count).map(|index| first.add(index).read_unaligned()));
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
        Ok(fds)
    }
}

fn recv_fds(fd: i32, max: u32) -> Res<impl Future<Output = Res<Received>> + Send> {
    let hold = hold(fd)?;
    Ok(async move {
        let mut buffer = Vec::new();
        let received = hold
            .attempt(Direction::Read, |socket, _| {
                polled(socket, libc::POLLIN)?; // before room is made
                recv_with_fds(socket, &mut buffer, max as usize)
            })
            .await;
        let fds = received.call("recvmsg")?;
        buffer.shrink_to_fit();
        Ok(Received {
            data: Bytes(buffer),
            fds,
        })
    })
}

fn unix_peer(fd: i32) -> Res<UnixPeer> {
    let mut peer = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut len = size_of_val(&peer) as u32;
    // SAFETY: the kernel writes at most one ucred.
    let call = unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut len,
        )
    };
    check(call).call("getsockopt")?;
    Ok(UnixPeer {
        pid: peer.pid,
        uid: peer.uid,
        gid: peer.gid,
    })
}

fn shutdown(fd: i32, how: i32) -> Res<()> {
    // SAFETY: no pointer.
    check(unsafe { libc::shutdown(fd, how) }).call("shutdown")?;
    Ok(())
}

fn vsock_address(cid: u32, port: u32) -> libc::sockaddr_vm {
    // SAFETY: sockaddr_vm is plain data.
    let mut address: libc::sockaddr_vm = unsafe { std::mem::zeroed() };
    address.svm_family = libc::AF_VSOCK as u16;
    address.svm_cid = cid;
    address.svm_port = port;
    address
}

const VSOCK_LEN: u32 = size_of::<libc::sockaddr_vm>() as u32;

fn vsock_listen(port: u32) -> Res<i32> {
    const BACKLOG: i32 = 128;
    let name = format!("vsock port {port}");
    let socket =
        socket(libc::AF_VSOCK, libc::SOCK_STREAM | libc::SOCK_NONBLOCK).on("socket", &name)?;
    let address = vsock_address(libc::VMADDR_CID_ANY, port);
    // SAFETY: the address outlives the call.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), VSOCK_LEN) })
        .on("bind", &name)?;
    // SAFETY: no pointer.
    check(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) }).on("listen", &name)?;
    Ok(socket.into_raw_fd())
}

fn vsock_accept(fd: i32) -> Res<impl Future<Output = Res<VsockAccepted>> + Send> {
    let hold = hold(fd)?;
    Ok(async move {
        let (socket, peer) = accepted(&hold, vsock_address(0, 0)).await.call("accept")?;
        Ok(VsockAccepted {
            fd: socket.into_raw_fd(),
            cid: peer.svm_cid,
            port: peer.svm_port,
        })
    })
}

fn vsock_connect(cid: u32, port: u32) -> Res<impl Future<Output = Res<i32>> + Send> {
    let name = format!("vsock {cid}:{port}");
    let socket =
        socket(libc::AF_VSOCK, libc::SOCK_STREAM | libc::SOCK_NONBLOCK).on("socket", &name)?;
    let address = vsock_address(cid, port);
    // SAFETY: the address outlives the call.
    let started =
        check(unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), VSOCK_LEN) });
    if !matches!(started, Ok(_) | Err(Errno::INPROGRESS)) {
        started.on("connect", &name)?;
    }
    let watched = Watched::new(socket)?;
    Ok(async move {
        watched
            .hold
            .attempt(Direction::Write, |fd, _| connected(fd))
            .await
            .on("connect", &name)?;
        Ok(settled(watched.release()))
    })
}

/// A connection attempt's outcome; EAGAIN while it is under way.
pub(crate) fn connected(fd: RawFd) -> Result<(), Errno> {
    polled(fd, libc::POLLOUT)?;
    let (mut errno, mut len) = (0i32, size_of::<i32>() as u32);
    // SAFETY: the kernel writes one int.
    check(unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_ERROR,
            (&raw mut errno).cast(),
            &raw mut len,
        )
    })?;
    if errno == 0 {
        Ok(())
    } else {
        Err(Errno::from_raw_os_error(errno))
    }
}

/// A socket under watch that no script knows yet: out of the watch and closed with it.
pub(crate) struct Watched {
    hold: Hold,
    socket: Option<OwnedFd>,
}

impl Watched {
    pub(crate) fn new(socket: OwnedFd) -> Res<Self> {
        Ok(Self {
            hold: hold(socket.as_raw_fd())?,
            socket: Some(socket),
        })
    }

    pub(crate) fn hold(&self) -> &Hold {
        &self.hold
    }

    pub(crate) fn release(mut self) -> OwnedFd {
        crate::reactor::forget(self.hold.fd());
        self.socket
            .take()
            .unwrap_or_else(|| unreachable!("released once"))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket {
            crate::reactor::forget(socket.as_raw_fd());
        }
    }
}

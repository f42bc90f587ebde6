//! Sockets of IPv4 and IPv6, in this thread's network namespace.

use crate::error::{Context, OpError, Res};
use crate::reactor::{Direction, hold, polled};
use crate::socket::{Watched, connected, settled};
use crate::spare;
use crate::table::{ops, wire};
use crate::value::Bytes;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, connect, getsockname,
    listen, recvfrom, sendto, socket_with,
};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd, RawFd};

wire! {
    pub struct Datagram { pub data: Bytes, pub address: String, pub port: u32 }
}

ops! {
    /// type: SOCK.DGRAM, or SOCK.STREAM, which listens. Port 0: one that is free, see inetPort. Non-blocking.
    sync inet_bind(type_: i32, address: String, port: u32) -> i32;
    /// The port that a socket is bound to.
    sync inet_port(fd: i32) -> u32;
    /// type: SOCK.DGRAM (for read and write then), SOCK.STREAM.
    later inet_connect(type_: i32, address: String, port: u32) -> i32;
    /// One datagram, cut to max bytes, and its sender.
    later receive_from(fd: i32, max: u32) -> Datagram;
    /// One datagram, if the socket's buffer has room: EAGAIN.
    sync send_to(fd: i32, bytes: Bytes, address: String, port: u32) -> ();
}

const BACKLOG: i32 = 16;

fn socket_address(address: &str, port: u32) -> Res<SocketAddr> {
    let ip: IpAddr = address
        .parse()
        .map_err(|_| OpError::argument("address", "an IPv4 or IPv6 address"))?;
    let port = u16::try_from(port).map_err(|_| OpError::argument("port", "at most 65535"))?;
    Ok(SocketAddr::new(ip, port))
}

fn socket(type_: i32, address: &SocketAddr) -> Res<(OwnedFd, SocketType)> {
    let kind = match type_ {
        libc::SOCK_STREAM => SocketType::STREAM,
        libc::SOCK_DGRAM => SocketType::DGRAM,
        _ => return Err(OpError::argument("type", "SOCK.STREAM or SOCK.DGRAM")),
    };
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, kind, flags, None).on("socket", &address.to_string())?;
    Ok((socket, kind))
}

fn inet_bind(type_: i32, address: String, port: u32) -> Res<i32> {
    let address = socket_address(&address, port)?;
    let (socket, kind) = socket(type_, &address)?;
    bind(&socket, &address).on("bind", &address.to_string())?;
    if kind == SocketType::STREAM {
        listen(&socket, BACKLOG).on("listen", &address.to_string())?;
    }
    Ok(socket.into_raw_fd())
}

fn borrowed(fd: RawFd) -> Res<BorrowedFd<'static>> {
    if fd < 0 {
        return Err(OpError::argument("fd", "a descriptor"));
    }
    // SAFETY: not negative; a script does not close it during the call that this is for.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

fn inet_port(fd: i32) -> Res<u32> {
    let address = getsockname(borrowed(fd)?).call("getsockname")?;
    match SocketAddr::try_from(address) {
        Ok(address) => Ok(address.port().into()),
        Err(_) => Err(OpError::argument("fd", "a socket of IPv4 or IPv6")),
    }
}

fn inet_connect(
    type_: i32,
    address: String,
    port: u32,
) -> Res<impl Future<Output = Res<i32>> + Send> {
    let address = socket_address(&address, port)?;
    let name = address.to_string();
    let (socket, _) = socket(type_, &address)?;
    let started = connect(&socket, &address);
    if !matches!(started, Ok(()) | Err(Errno::INPROGRESS)) {
        started.on("connect", &name)?;
    }
    let watched = Watched::new(socket)?;
    Ok(async move {
        watched
            .hold()
            .attempt(Direction::Write, |fd, _| connected(fd))
            .await
            .on("connect", &name)?;
        Ok(settled(watched.release()))
    })
}

fn receive_from(fd: i32, max: u32) -> Res<impl Future<Output = Res<Datagram>> + Send> {
    let hold = hold(fd)?;
    Ok(async move {
        let mut buffer = Vec::new();
        let received = hold
            .attempt(Direction::Read, |fd, _| {
                polled(fd, libc::POLLIN)?; // before room is made
                receive_some(fd, &mut buffer, max as usize)
            })
            .await;
        let from = received.call("recvfrom")?;
        buffer.shrink_to_fit();
        Ok(Datagram {
            data: Bytes(buffer),
            address: from.ip().to_string(),
            port: from.port().into(),
        })
    })
}

fn receive_some(fd: RawFd, buffer: &mut Vec<u8>, max: usize) -> Result<SocketAddr, Errno> {
    spare::make_room(buffer, max)?;
    // SAFETY: `hold` found the descriptor open, and it is used for one call.
    let socket = unsafe { BorrowedFd::borrow_raw(fd) };
    buffer.resize(max, 0);
    let (count, _, from) = recvfrom(socket, &mut buffer[..], RecvFlags::DONTWAIT)?;
    buffer.truncate(count);
    SocketAddr::try_from(from.ok_or(Errno::NOTCONN)?)
}

fn send_to(fd: i32, bytes: Bytes, address: String, port: u32) -> Res<()> {
    let address = socket_address(&address, port)?;
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    sendto(borrowed(fd)?, &bytes.0, flags, &address).on("sendto", &address.to_string())?;
    Ok(())
}

//! netlink(7): a socket, and one request with its replies. Messages are made and read in TypeScript.

use crate::error::{Context, OpError, Res, check, last_errno};
use crate::table::{ops, wire};
use crate::value::Bytes;
use rustix::io::Errno;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

wire! {}

ops! {
    /// Bound to the multicast groups given (a mask; 0: none). Non-blocking; wait with readable.
    sync netlink(protocol: i32, groups: u32) -> i32;
    /// A socket in another network namespace, without multicast groups. A thread of its own makes it there: the caller's stay where they are.
    sync netlink_in(namespace: i32, protocol: i32) -> i32;
    /// Sends one netlink request (header included) and returns the bodies of all its replies, until ACK or DONE; an error reply throws its errno.
    sync netlink_request(fd: i32, message: Bytes) -> Vec<Bytes>;
}

/// nlmsghdr: len u32, type u16, flags u16, seq u32, pid u32.
const HEADER: usize = 16;
const NLM_F_MULTI: u16 = 2;
const NLM_F_ACK: u16 = 4;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// The kernel answers while the request is sent; a longer wait means that no answer comes.
const ANSWER_MS: i32 = 5000;

fn netlink(protocol: i32, groups: u32) -> Res<i32> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointer; the new descriptor is ours alone.
    let socket = unsafe {
        OwnedFd::from_raw_fd(
            check(libc::socket(libc::AF_NETLINK, kind, protocol)).call("socket")? as RawFd,
        )
    };
    // SAFETY: sockaddr_nl is plain data.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as u16;
    address.nl_groups = groups;
    // SAFETY: the address outlives the call.
    check(unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of_val(&address) as u32,
        )
    })
    .call("bind")?;
    Ok(socket.into_raw_fd())
}

fn netlink_in(namespace: i32, protocol: i32) -> Res<i32> {
    let there = std::thread::Builder::new()
        .spawn(move || {
            // SAFETY: no pointer; acts on this thread alone.
            check(unsafe { libc::setns(namespace, libc::CLONE_NEWNET) }).call("setns")?;
            netlink(protocol, 0)
        })
        .map_err(|error| OpError::new(error.raw_os_error().unwrap_or(libc::EAGAIN), "clone"))?;
    there
        .join()
        .unwrap_or_else(|_| Err(OpError::new(libc::EAGAIN, "clone")))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes
        .get(at..at + 2)
        .map_or(0, |bytes| u16::from_ne_bytes([bytes[0], bytes[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |bytes| {
        u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    })
}

fn netlink_request(fd: i32, message: Bytes) -> Res<Vec<Bytes>> {
    let request = message.0;
    if request.len() < HEADER || u32_at(&request, 0) as usize != request.len() {
        return Err(OpError::argument("message", "one whole netlink message"));
    }
    // SAFETY: send only reads.
    check(unsafe { libc::send(fd, request.as_ptr().cast(), request.len(), 0) } as i64)
        .call("netlink send")?;
    let sequence = u32_at(&request, 8);
    let flags = u16_at(&request, 6);
    let many = flags & NLM_F_ACK != 0 || flags & NLM_F_DUMP == NLM_F_DUMP;
    let mut replies = Vec::new();
    loop {
        let datagram = receive(fd)?;
        let mut rest = &*datagram;
        while rest.len() >= HEADER {
            let len = u32_at(rest, 0) as usize;
            let Some(message) = rest.get(..len).filter(|message| message.len() >= HEADER) else {
                return Err(Errno::BADMSG).call("netlink recv");
            };
            rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
            if u32_at(message, 8) != sequence {
                continue; // the late answer to a request that was given up, or an event
            }
            match u16_at(message, 4) {
                NLMSG_NOOP => {}
                NLMSG_DONE => return Ok(replies),
                NLMSG_ERROR => match u32_at(message, HEADER) as i32 {
                    0 => return Ok(replies),
                    errno => return Err(OpError::new(-errno, "netlink request")),
                },
                _ => {
                    replies.push(Bytes(message[HEADER..].to_vec()));
                    if !many && u16_at(message, 6) & NLM_F_MULTI == 0 {
                        return Ok(replies);
                    }
                }
            }
        }
    }
}

/// One datagram, whatever its size.
fn receive(fd: RawFd) -> Res<Vec<u8>> {
    loop {
        let mut poll = libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one pollfd.
        if check(unsafe { libc::poll(&raw mut poll, 1, ANSWER_MS) }).call("poll")? == 0 {
            return Err(Errno::TIMEDOUT).call("netlink recv");
        }
        // SAFETY: no room is offered: the kernel tells the size and keeps the datagram.
        let size = unsafe {
            libc::recv(
                fd,
                std::ptr::null_mut(),
                0,
                libc::MSG_PEEK | libc::MSG_TRUNC | libc::MSG_DONTWAIT,
            )
        };
        if size < 0 {
            match last_errno() {
                Errno::AGAIN | Errno::INTR => continue,
                errno => return Err(errno).call("netlink recv"),
            }
        }
        let mut datagram = crate::spare::zeros(size as usize).call("netlink recv")?;
        // SAFETY: recv writes at most the buffer's length.
        let got = unsafe {
            libc::recv(
                fd,
                datagram.as_mut_ptr().cast(),
                datagram.len(),
                libc::MSG_DONTWAIT,
            )
        };
        datagram.truncate(check(got as i64).call("netlink recv")? as usize);
        return Ok(datagram);
    }
}

import { BPF_OP, bpfProgram, MS, mkdirp, ops } from "@kata-containers/sys";

/** BPF_PROG_TYPE_CGROUP_SOCK_ADDR and its attach types (linux/bpf.h). */
const PROGRAM_TYPE = 18;
const ATTACH = {
  INET4_CONNECT: 10,
  INET6_CONNECT: 11,
  UDP4_SENDMSG: 14,
  UDP4_RECVMSG: 19,
  UDP6_RECVMSG: 20,
} as const;
/** struct bpf_sock_addr: all in network byte order, in 32 bits; user_ip6 has four of them. */
const CONTEXT = { user_ip4: 4, user_ip6: 8, user_port: 24 } as const;
/** bpf_get_netns_cookie, since Linux 5.7: of a socket's network namespace, or without one of the first that this kernel has. */
const GET_NETNS_COOKIE = 122;
const PASS = 1;
/** A call leaves 6 and up as they are. */
const R = { result: 0, argument: 1, value: 2, context: 6, cookie: 7 } as const;
/** ::ffff:0:0/96 (RFC 4291, 2.5.5.2), as three words. */
const MAPPED = [0, 0, 0xffff_0000] as const;

/** Where the hierarchy of cgroup v2 is mounted while programs are attached: a guest of cgroup v1 has it nowhere else. */
const UNIFIED = "/run/kata-containers/cgroup2";

/**
 * Whoever in the guest's network connects or sends to one port of an IPv4 address reaches another, and is answered by the one. Both stay free for
 * those that listen at every address: nothing listens at the first, and nobody knows the second. Network namespaces that a container
 * makes have loopback interfaces of their own, and are left alone.
 * @throws SysError EPERM, EINVAL where the kernel has no BPF programs for cgroups
 */
export function redirectPort(address: string, from: number, to: number): void {
  const ip4 = [{ offset: CONTEXT.user_ip4, word: networkAddress(address) }];
  const ip6 = [...MAPPED, networkAddress(address)].map((word, at) => ({
    offset: CONTEXT.user_ip6 + 4 * at,
    word,
  }));
  mkdirp(UNIFIED);
  ops.mount("cgroup2", UNIFIED, "cgroup2", MS.NOSUID | MS.NODEV | MS.NOEXEC, "");
  const attach = (type: number, program: number[]) => ops.bpfAttach(UNIFIED, PROGRAM_TYPE, type, program);
  try {
    attach(ATTACH.INET4_CONNECT, portProgram(ip4, from, to));
    attach(ATTACH.INET6_CONNECT, portProgram(ip6, from, to));
    // Of what an IPv6 socket sends to an address of IPv4 too (udpv6_sendmsg).
    attach(ATTACH.UDP4_SENDMSG, portProgram(ip4, from, to));
    attach(ATTACH.UDP4_RECVMSG, portProgram(ip4, to, from));
    attach(ATTACH.UDP6_RECVMSG, portProgram(ip6, to, from));
  } finally {
    ops.umount(UNIFIED, 0);
  }
}

/** A part of an address, and where struct bpf_sock_addr has it. */
type AddressWord = { readonly offset: number; readonly word: number };

/** Puts port `to` in place of port `from` of that address, in the guest's network namespace. @returns two words an instruction */
export function portProgram(address: readonly AddressWord[], from: number, to: number): number[] {
  const load = (offset: number) => ({ op: BPF_OP.LOAD, to: R.value, from: R.context, offset });
  const unless = (number: number) => ({ op: BPF_OP.JUMP_NOT_EQUAL_32, to: R.value, number });
  return bpfProgram(
    [
      { op: BPF_OP.MOVE_64, to: R.context, from: R.argument },
      { op: BPF_OP.CALL, number: GET_NETNS_COOKIE },
      { op: BPF_OP.MOVE_64, to: R.cookie, from: R.result },
      { op: BPF_OP.MOVE_NUMBER_64, to: R.argument, number: 0 },
      { op: BPF_OP.CALL, number: GET_NETNS_COOKIE },
      { op: BPF_OP.JUMP_NOT_EQUAL_TO, to: R.cookie, from: R.result },
      ...address.flatMap(({ offset, word }) => [load(offset), unless(word)]),
      load(CONTEXT.user_port),
      unless(networkPort(from)),
      { op: BPF_OP.MOVE_NUMBER, to: R.value, number: networkPort(to) },
      { op: BPF_OP.STORE, to: R.context, from: R.value, offset: CONTEXT.user_port },
    ],
    PASS,
  );
}

/** As a little-endian machine reads what is in network byte order. */
function networkAddress(address: string): number {
  return address.split(".").reduce((bytes, part, index) => bytes + Number(part) * 256 ** index, 0);
}

function networkPort(port: number): number {
  return ((port & 0xff) << 8) | (port >> 8);
}

import { BPF_OP, type BpfInstruction, bpfWords } from "@kata-containers/launch";
import { MS, mkdirp, ops } from "@kata-containers/sys";

/** BPF_PROG_TYPE_CGROUP_SOCK_ADDR and its attach types (linux/bpf.h). */
const PROGRAM_TYPE = 18;
const ATTACH = { INET4_CONNECT: 10, UDP4_SENDMSG: 14, UDP4_RECVMSG: 19 } as const;
/** struct bpf_sock_addr: both in network byte order, in 32 bits. */
const CONTEXT = { user_ip4: 4, user_port: 24 } as const;
const R = { result: 0, context: 1, value: 2 } as const;

/** Where the hierarchy of cgroup v2 is mounted while programs are attached: a guest of cgroup v1 has it nowhere else. */
const UNIFIED = "/run/kata-containers/cgroup2";

/**
 * Whoever in this kernel connects or sends to one port of an IPv4 address reaches another, and is answered by the one. Both stay free for
 * those that listen at every address: nothing listens at the first, and nobody knows the second.
 * @throws SysError EPERM, EINVAL where the kernel has no BPF programs for cgroups
 */
export function redirectPort(address: string, from: number, to: number): void {
  const there = portProgram(address, from, to);
  const back = portProgram(address, to, from);
  mkdirp(UNIFIED);
  ops.mount("cgroup2", UNIFIED, "cgroup2", MS.NOSUID | MS.NODEV | MS.NOEXEC, "");
  try {
    ops.bpfAttach(UNIFIED, PROGRAM_TYPE, ATTACH.INET4_CONNECT, there);
    ops.bpfAttach(UNIFIED, PROGRAM_TYPE, ATTACH.UDP4_SENDMSG, there);
    ops.bpfAttach(UNIFIED, PROGRAM_TYPE, ATTACH.UDP4_RECVMSG, back);
  } finally {
    ops.umount(UNIFIED, 0);
  }
}

/** Puts port `to` in place of port `from` of that address. @returns two words an instruction */
export function portProgram(address: string, from: number, to: number): number[] {
  const program: BpfInstruction[] = [
    { op: BPF_OP.LOAD, to: R.value, from: R.context, offset: CONTEXT.user_ip4 },
    { op: BPF_OP.JUMP_NOT_EQUAL, to: R.value, number: networkAddress(address), offset: 4 },
    { op: BPF_OP.LOAD, to: R.value, from: R.context, offset: CONTEXT.user_port },
    { op: BPF_OP.JUMP_NOT_EQUAL, to: R.value, number: networkPort(from), offset: 2 },
    { op: BPF_OP.MOVE_NUMBER, to: R.value, number: networkPort(to) },
    { op: BPF_OP.STORE, to: R.context, from: R.value, offset: CONTEXT.user_port },
    { op: BPF_OP.MOVE_NUMBER, to: R.result, number: 1 },
    { op: BPF_OP.EXIT },
  ];
  return program.flatMap(bpfWords);
}

/** As a little-endian machine reads what is in network byte order. */
function networkAddress(address: string): number {
  return address.split(".").reduce((bytes, part, index) => bytes | (Number(part) << (8 * index)), 0);
}

function networkPort(port: number): number {
  return ((port & 0xff) << 8) | (port >> 8);
}

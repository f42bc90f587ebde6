import { BPF_FRAME, BPF_FROM_MAP, BPF_OP, bpfProgram, Fd, O, ops, SOCK } from "@kata-containers/sys";

/** BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP (linux/bpf.h): asked which socket gets a connection, since Linux 5.9. */
const PROGRAM_TYPE = 30;
const ATTACH = 36;
/** struct bpf_sk_lookup, whose fields are of 32 bits here; addresses in network byte order. */
const CONTEXT = { family: 8, protocol: 12, local_ip4: 40, local_ip6: 44 } as const;
const TCP = 6;
const PASS = 1;
/** Helpers, by their numbers in ___BPF_FUNC_MAPPER. */
const HELPER = { map_lookup_elem: 1, sk_release: 86, sk_assign: 124 } as const;
/** A call leaves 6 and up as they are. */
const R = { result: 0, first: 1, second: 2, third: 3, context: 6, socket: 7 } as const;

/** An address of the loopback interface; its words as a little-endian machine reads them, and where the context has them. */
type Address = {
  readonly text: string;
  readonly family: number;
  readonly words: readonly (readonly [offset: number, word: number])[];
};

export const LOOPBACK_4: Address = {
  text: "127.0.0.1",
  family: 2,
  words: [[CONTEXT.local_ip4, 0x0100_007f]],
};
export const LOOPBACK_6: Address = {
  text: "::1",
  family: 10,
  words: [0, 0, 0, 0x0100_0000].map((word, at) => [CONTEXT.local_ip6 + 4 * at, word] as const),
};

/** A socket that gets the connections to every TCP port of an address, in the network namespace that this process is in. */
export class AllPorts implements Disposable {
  /** Listens. The port that a socket is bound to which it accepts is the one that was asked for. */
  readonly listener: Fd;
  readonly #link: Fd;

  /** @throws SysError of bind(2): EADDRNOTAVAIL, EAFNOSUPPORT without IPv6; EPERM, EINVAL where the kernel has no such programs */
  constructor(address: Address) {
    this.listener = new Fd(ops.inetBind(SOCK.STREAM, address.text, 0));
    try {
      using sockets = new Fd(ops.bpfSockets([this.listener.number]));
      using namespace = new Fd(ops.open("/proc/thread-self/ns/net", O.RDONLY | O.CLOEXEC, 0));
      const program = steeringProgram(address, sockets.number);
      this.#link = new Fd(ops.bpfLink(namespace.number, PROGRAM_TYPE, ATTACH, program));
    } catch (error) {
      this.listener.close();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#link.close();
    this.listener.close();
  }
}

/** Gives what comes to the address by TCP to the first of a map's sockets. @returns two words an instruction */
export function steeringProgram({ family, words }: Address, sockets: number): number[] {
  const only = (offset: number, number: number) => [
    { op: BPF_OP.LOAD, to: R.second, from: R.context, offset },
    { op: BPF_OP.JUMP_NOT_EQUAL_32, to: R.second, number },
  ];
  return bpfProgram(
    [
      { op: BPF_OP.MOVE_64, to: R.context, from: R.first },
      ...only(CONTEXT.protocol, TCP),
      ...only(CONTEXT.family, family),
      ...words.flatMap(([offset, word]) => only(offset, word)),
      { op: BPF_OP.MOVE_NUMBER, to: R.second, number: 0 },
      { op: BPF_OP.STORE, to: BPF_FRAME, from: R.second, offset: -4 },
      { op: BPF_OP.LOAD_NUMBER_64, to: R.first, from: BPF_FROM_MAP, number: sockets },
      { op: 0 },
      { op: BPF_OP.MOVE_64, to: R.second, from: BPF_FRAME },
      { op: BPF_OP.ADD_NUMBER_64, to: R.second, number: -4 },
      { op: BPF_OP.CALL, number: HELPER.map_lookup_elem },
      { op: BPF_OP.JUMP_EQUAL, to: R.result, number: 0 },
      { op: BPF_OP.MOVE_64, to: R.socket, from: R.result },
      { op: BPF_OP.MOVE_64, to: R.first, from: R.context },
      { op: BPF_OP.MOVE_64, to: R.second, from: R.socket },
      { op: BPF_OP.MOVE_NUMBER_64, to: R.third, number: 0 },
      { op: BPF_OP.CALL, number: HELPER.sk_assign },
      { op: BPF_OP.MOVE_64, to: R.first, from: R.socket },
      { op: BPF_OP.CALL, number: HELPER.sk_release },
    ],
    PASS,
  );
}

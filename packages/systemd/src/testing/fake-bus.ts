import { type Ops, SysError, setOps } from "@kata-containers/sys";
import { MESSAGE } from "../dbus/message.ts";
import type { Value } from "../dbus/value.ts";
import { Writer } from "../dbus/writer.ts";

/** What a bus answers to whom it lets in. */
export const OK = "DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n";

/** A bus: the n-th thing that it is sent, but for "BEGIN", has the n-th of these as answer. @returns what it was sent */
export function serve(answers: readonly (string | Uint8Array)[]): {
  readonly sent: string[];
  closed: boolean;
} {
  const bus = { sent: [] as string[], closed: false };
  const left = answers.map((answer) => Buffer.from(answer));
  let come: Uint8Array[] = [];
  let wake: () => void = () => {};
  let isCanceled = false;
  const fake: Partial<Ops> = {
    utf8Encode: (text) => new TextEncoder().encode(text),
    utf8Decode: (bytes) => new TextDecoder().decode(bytes),
    unixConnect: async () => 5,
    close: () => {
      bus.closed = true;
    },
    write: async (_, bytes) => {
      const text = Buffer.from(bytes).toString("latin1");
      bus.sent.push(text);
      const answer = text === "BEGIN\r\n" ? undefined : left.shift();
      if (answer !== undefined) come.push(answer);
      wake();
    },
    read: async () => {
      while (come.length === 0 && !isCanceled)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      if (isCanceled) throw new SysError("ECANCELED", "read");
      const bytes = Buffer.concat(come);
      come = [];
      return bytes;
    },
    cancel: () => {
      isCanceled = true;
      wake();
    },
  };
  setOps(fake as Ops);
  return bus;
}

type Reply = {
  type: number;
  to?: number;
  member?: string;
  error?: string;
  body?: [string, readonly Value[]];
};

export function encode({ type, to, member, error, body: [signature, values] = ["", []] }: Reply): Uint8Array {
  const body = new Writer();
  body.write(signature, values);
  const head = new Writer();
  const fields: Value[] = [];
  if (member !== undefined) fields.push([3, { type: "s", value: member }]);
  if (error !== undefined) fields.push([4, { type: "s", value: error }]);
  if (to !== undefined) fields.push([5, { type: "u", value: to }]);
  if (signature !== "") fields.push([8, { type: "g", value: signature }]);
  head.write("yyyyuua(yv)", [0x6c, type, 0, 1, body.bytes.length, 99, fields]);
  head.align(8);
  return Buffer.concat([head.bytes, body.bytes]);
}

/** The answer to the first call, which is Hello. */
export const hello = encode({ type: MESSAGE.REPLY, to: 1, body: ["s", [":1.1"]] });

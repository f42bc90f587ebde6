import { malformed, Reader } from "./reader.ts";
import type { Value, Variant } from "./value.ts";
import { Writer } from "./writer.ts";

/** Types of messages that are looked at (D-Bus Specification, "Message Types"). */
export const MESSAGE = { CALL: 1, REPLY: 2, ERROR: 3, SIGNAL: 4 } as const;

export type MethodCall = {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  /** Of the arguments: "ss". */
  readonly signature: string;
  readonly body: readonly Value[];
};

export type Message = {
  readonly type: number;
  readonly replySerial?: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly body: readonly Value[];
};

/** Bytes from which a message's length can be told. */
export const HEAD_BYTES = 16;

const LITTLE_ENDIAN = 0x6c;
const VERSION = 1;
const NO_FLAGS = 0;

/** Header fields by code, with their types. */
const FIELD = {
  PATH: 1,
  INTERFACE: 2,
  MEMBER: 3,
  ERROR_NAME: 4,
  REPLY_SERIAL: 5,
  DESTINATION: 6,
  SIGNATURE: 8,
} as const;

export function encodeCall(serial: number, call: MethodCall): Uint8Array {
  const body = new Writer();
  body.write(call.signature, call.body);
  const bodyBytes = body.bytes;
  const text = (code: number, type: string, value: string): Value => [code, { type, value }];
  const head = new Writer();
  head.write("yyyyuua(yv)", [
    ...[LITTLE_ENDIAN, MESSAGE.CALL, NO_FLAGS, VERSION, bodyBytes.length, serial],
    [
      text(FIELD.PATH, "o", call.path),
      text(FIELD.INTERFACE, "s", call.interface),
      text(FIELD.MEMBER, "s", call.member),
      text(FIELD.DESTINATION, "s", call.destination),
      ...(call.signature === "" ? [] : [text(FIELD.SIGNATURE, "g", call.signature)]),
    ],
  ]);
  head.align(8);
  const headBytes = head.bytes;
  const message = new Uint8Array(headBytes.length + bodyBytes.length);
  message.set(headBytes);
  message.set(bodyBytes, headBytes.length);
  return message;
}

/** Length of the whole message, by its first {@link HEAD_BYTES}. @throws KataError InvalidArgument */
export function messageLength(head: Uint8Array): number {
  const [order, , , version, body, , fields] = new Reader(head).read("yyyyuuu");
  if (order !== LITTLE_ENDIAN) throw malformed("it is not little-endian");
  if (version !== VERSION) throw malformed(`protocol version ${String(version)}`);
  return HEAD_BYTES + 8 * Math.ceil(Number(fields) / 8) + Number(body);
}

/** @throws KataError InvalidArgument */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new Reader(bytes);
  const [, type, , , , , fields] = reader.read("yyyyuua(yv)");
  const variants = new Map<number, Variant>();
  for (const field of Array.isArray(fields) ? fields : []) variants.set(Number(field[0]), field[1]);
  reader.align(8);
  const text = (code: number) => {
    const value = variants.get(code)?.value;
    return typeof value === "string" ? value : undefined;
  };
  const [path, name, member, errorName] = [FIELD.PATH, FIELD.INTERFACE, FIELD.MEMBER, FIELD.ERROR_NAME].map(
    text,
  );
  const replySerial = variants.get(FIELD.REPLY_SERIAL)?.value;
  return {
    type: Number(type),
    ...(typeof replySerial === "number" ? { replySerial } : {}),
    ...(path === undefined ? {} : { path }),
    ...(name === undefined ? {} : { interface: name }),
    ...(member === undefined ? {} : { member }),
    ...(errorName === undefined ? {} : { errorName }),
    body: reader.read(text(FIELD.SIGNATURE) ?? ""),
  };
}

import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

/** What an encoder takes: a message of which every field, at any depth, may be left out (it then has proto3's default). */
export type Init<T> = T extends Uint8Array | string | number | bigint | boolean | undefined
  ? T
  : T extends readonly (infer U)[]
    ? readonly Init<U>[]
    : T extends ReadonlyMap<infer K, infer V>
      ? ReadonlyMap<K, Init<V>>
      : { readonly [F in keyof T]?: Init<T[F]> | undefined };

/** One method of a service: its names on the wire and the codecs of its messages. */
export interface Method<Req extends object, Res extends object> {
  readonly service: string;
  readonly method: string;
  readonly request: Codec<Req>;
  readonly response: Codec<Res>;
}

// One of each does: encoding and decoding run to their end, and nothing of ours runs within.
const scratch = new Writer();
const reader = new Reader();

/** Encodes and decodes one message type. Made by scripts/generate.mjs, one constant a message, named as its type is. */
export class Codec<T extends object> {
  /** Full name, as in "grpc.CreateSandboxRequest". */
  readonly typeName: string;
  /** A message in which every field has its default. */
  readonly empty: () => T;
  /** Appends the fields of `message` to `writer`. */
  readonly writeTo: (message: Init<T>, writer: Writer) => void;
  /** Reads the reader's current field into `message`; false: the type does not have that field. */
  readonly readField: (message: T, reader: Reader) => boolean;

  constructor(
    typeName: string,
    empty: () => T,
    writeTo: (message: Init<T>, writer: Writer) => void,
    readField: (message: T, reader: Reader) => boolean,
  ) {
    this.typeName = typeName;
    this.empty = empty;
    this.writeTo = writeTo;
    this.readField = readField;
  }

  /** A whole message from the fields given. */
  create(fields?: Partial<T>): T {
    return Object.assign(this.empty(), fields);
  }

  /**
   * The message's bytes, in a buffer of their own.
   * @throws KataError InvalidArgument when an integer does not fit its field
   */
  encode(message: Init<T>): Uint8Array {
    scratch.start(this.typeName);
    this.writeTo(message, scratch);
    return scratch.finish();
  }

  /**
   * The message in `bytes`. Fields of type bytes are views of `bytes`, not copies. Unknown fields are skipped.
   * @throws KataError InvalidArgument on anything that is not an encoding of the type, and on more than
   *   MAX_ELEMENTS list and map elements
   */
  decode(bytes: Uint8Array): T {
    return reader.read(bytes, this.typeName, this.empty(), this.readField);
  }
}

import { create, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as protocols from "./index.ts";
import { type AnyCodec, arbitraryMessage, type Fields, isBig } from "./testing/arbitrary-message.ts";
import { loadOracle } from "./testing/oracle.ts";

const codecs = new Map<string, AnyCodec>();
for (const one of Object.values(protocols)) {
  if (one instanceof protocols.Codec) codecs.set(one.typeName, one as unknown as AnyCodec);
}
const oracle = loadOracle();
const types = [...oracle.files].flatMap((file) => file.messages);

function convert(
  type: DescMessage,
  message: Message,
  one: (value: unknown, field: DescMessage["fields"][number]) => unknown,
): Fields {
  const out: Fields = {};
  const source: Fields = Object.fromEntries(Object.entries(message));
  for (const field of type.fields) {
    const held = field.oneof ? source[field.oneof.localName] : source[field.localName];
    if (field.oneof) {
      const chosen = held as { case?: string; value?: unknown };
      out[field.localName] = chosen.case === field.localName ? one(chosen.value, field) : undefined;
    } else if (field.fieldKind === "list") {
      out[field.localName] = (held as unknown[]).map((value) => one(value, field));
    } else if (field.fieldKind === "map") {
      out[field.localName] = new Map(
        Object.entries(held as object).map(([key, value]) => [key, one(value, field)]),
      );
    } else {
      out[field.localName] = held === undefined ? undefined : one(held, field);
    }
  }
  return out;
}

/** The oracle's message in our shape; 64-bit integers as our codec has them. */
function toOurs(type: DescMessage, message: Message): Fields {
  const codec = codecs.get(type.typeName);
  return convert(type, message, (value, field) => {
    if (field.message) return toOurs(field.message, value as Message);
    return typeof value === "bigint" && codec && !isBigCached(codec, field) ? Number(value) : value;
  });
}

const bigness = new Map<DescMessage["fields"][number], boolean>();
function isBigCached(codec: AnyCodec, field: DescMessage["fields"][number]): boolean {
  const known = bigness.get(field) ?? isBig(codec, field);
  bigness.set(field, known);
  return known;
}

describe("every message, against protobuf-es", () => {
  it("has a codec for each message of the .proto files, and no other", () => {
    expect([...codecs.keys()].sort()).toEqual(types.map((type) => type.typeName).sort());
  });

  for (const type of types) {
    it(`${type.typeName} is read as the oracle wrote it, and written as the oracle reads it`, () => {
      const codec = codecs.get(type.typeName);
      if (!codec) throw new Error("no codec");
      fc.assert(
        fc.property(arbitraryMessage(type, codecs), (init) => {
          const theirs = create(type, init);
          const ours = codec.decode(toBinary(type, theirs));
          expect(ours).toEqual(toOurs(type, theirs));
          expect(fromBinary(type, codec.encode(ours as Parameters<typeof codec.encode>[0]))).toEqual(
            fromBinary(type, toBinary(type, theirs)),
          );
        }),
        { numRuns: 40 },
      );
    });
  }
});

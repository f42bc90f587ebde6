// Random messages for the property tests, generated from protobuf-es's descriptors.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import fc from "fast-check";
import type { Codec } from "../index.ts";

export type Fields = Record<string, unknown>;
export type AnyCodec = Codec<Fields>;
export type Codecs = ReadonlyMap<string, AnyCodec>;

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** Whether the field's 64-bit values are bigint in our types. */
export function isBig(codec: AnyCodec, field: DescField): boolean {
  const zero = codec.empty()[field.localName];
  if (zero instanceof Map || Array.isArray(zero)) {
    try {
      codec.encode({ [field.localName]: zero instanceof Map ? new Map([["k", 1n]]) : [1n] });
      return true;
    } catch {
      return false;
    }
  }
  return typeof zero === "bigint";
}

function scalar(type: ScalarType, big: boolean): fc.Arbitrary<unknown> {
  switch (type) {
    case ScalarType.STRING:
      return fc.oneof(fc.string(), fc.string({ unit: "grapheme" }), fc.constant("\ufeffmark"));
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 300 });
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.UINT32:
      return fc.oneof(fc.nat(300), fc.nat({ max: 0xffff_ffff }));
    case ScalarType.INT32:
      return fc.integer();
    case ScalarType.UINT64:
      return fc.bigInt(0n, big ? (1n << 64n) - 1n : MAX_SAFE);
    case ScalarType.INT64:
      return big ? fc.bigInt(-(1n << 63n), (1n << 63n) - 1n) : fc.bigInt(-MAX_SAFE, MAX_SAFE);
    default:
      throw new Error(`no arbitrary for scalar type ${type}`);
  }
}

function value(field: DescField, codecs: Codecs, big: boolean): fc.Arbitrary<unknown> {
  if (field.message) return arbitraryMessage(field.message, codecs);
  if (field.enum) return fc.constantFrom(...field.enum.values.map((one) => one.number), 77);
  const type = field.fieldKind === "list" ? field.listKind === "scalar" && field.scalar : field.scalar;
  if (!type) throw new Error(`no arbitrary for ${field}`);
  return scalar(type, big);
}

/** A message in protobuf-es's shape ("$typeName", oneof objects, maps as objects), any field absent. */
export function arbitraryMessage(type: DescMessage, codecs: Codecs): fc.Arbitrary<Fields> {
  const codec = codecs.get(type.typeName);
  if (!codec) throw new Error(`no codec for ${type.typeName}`);
  const shape: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of type.fields) {
    const one = fc.noShrink(value(field, codecs, isBig(codec, field)));
    if (field.oneof) {
      shape[field.oneof.localName] = one.map((of) => ({ case: field.localName, value: of }));
    } else if (field.fieldKind === "list") {
      shape[field.localName] = fc.array(one, { maxLength: 4 });
    } else if (field.fieldKind === "map") {
      const key = fc.string({ unit: "grapheme" }).filter((text) => text !== "__proto__");
      shape[field.localName] = fc.dictionary(key, one, { maxKeys: 4, noNullPrototype: true });
    } else {
      shape[field.localName] = one;
    }
  }
  return fc.record(shape, { requiredKeys: [] });
}

// protobuf-es as the oracle of our codecs: its registry is made from the same .proto files, read by protobufjs.
// (protobufjs's own descriptor extension loses type names, as of 8.8.1.)
import { create, createFileRegistry, type FileRegistry } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  type EnumDescriptorProto,
  EnumDescriptorProtoSchema,
  type FieldDescriptorProto,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import protobuf from "protobufjs";
import { loadProtos } from "./protos.ts";

const SCALAR_TYPES: Readonly<Record<string, Type>> = {
  string: Type.STRING,
  bytes: Type.BYTES,
  bool: Type.BOOL,
  uint32: Type.UINT32,
  int32: Type.INT32,
  uint64: Type.UINT64,
  int64: Type.INT64,
};

/** Each after those that it uses. */
const PACKAGES = [
  ...["google.protobuf", "google.rpc", "ttrpc", "types", "grpc", "kata.daemon.v1"],
  ...["kata.forwarder.v1", "kata.resolver.v1"],
  ...["containerd.types", "containerd.v1.types", "containerd.task.v2", "containerd.task.v3"],
  ...["containerd.events", "containerd.services.events.ttrpc.v1", "runtimeoptions.v1"],
  "containerd.runtime.bootstrap.v1",
  ...["io.containerd.cgroups.v1", "io.containerd.cgroups.v2"],
];

export function loadOracle(): FileRegistry {
  const root = loadProtos();
  const file = PACKAGES.map((name, index) => describePackage(root, name, PACKAGES.slice(0, index)));
  return createFileRegistry(create(FileDescriptorSetSchema, { file }));
}

function describePackage(root: protobuf.Root, name: string, dependencies: string[]) {
  const objects = root.lookup(name);
  if (!(objects instanceof protobuf.Namespace)) throw new Error(`no package ${name}`);
  return create(FileDescriptorProtoSchema, {
    name: `${name}.proto`,
    package: name,
    dependency: dependencies.map((one) => `${one}.proto`),
    syntax: "proto3",
    messageType: objects.nestedArray.filter((one) => one instanceof protobuf.Type).map(describeMessage),
    enumType: objects.nestedArray.filter((one) => one instanceof protobuf.Enum).map(describeEnum),
  });
}

function describeEnum(type: protobuf.Enum): EnumDescriptorProto {
  const value = Object.entries(type.values).map(([name, number]) => ({ name, number }));
  return create(EnumDescriptorProtoSchema, { name: type.name, value });
}

function describeMessage(type: protobuf.Type): DescriptorProto {
  const maps = type.fieldsArray.filter((field) => field instanceof protobuf.MapField);
  return create(DescriptorProtoSchema, {
    name: type.name,
    field: type.fieldsArray.map((field) => describeField(field, type)),
    nestedType: maps.map(describeEntry),
    enumType: type.nestedArray.filter((one) => one instanceof protobuf.Enum).map(describeEnum),
    oneofDecl: type.oneofsArray.map((one) => ({ name: one.name })),
  });
}

/** The message that stands for a map's entry. */
function describeEntry(field: protobuf.MapField): DescriptorProto {
  const value = create(FieldDescriptorProtoSchema, { name: "value", number: 2, ...typeOf(field) });
  return create(DescriptorProtoSchema, {
    name: entryName(field),
    options: { mapEntry: true },
    field: [{ name: "key", number: 1, type: Type.STRING, label: Label.OPTIONAL }, value],
  });
}

function describeField(field: protobuf.Field, type: protobuf.Type): FieldDescriptorProto {
  const repeated = field.repeated || field instanceof protobuf.MapField;
  const described = create(FieldDescriptorProtoSchema, {
    name: field.name,
    number: field.id,
    ...(field instanceof protobuf.MapField
      ? { type: Type.MESSAGE, typeName: `${type.fullName}.${entryName(field)}` }
      : typeOf(field)),
  });
  if (repeated) described.label = Label.REPEATED;
  if (field.partOf) described.oneofIndex = type.oneofsArray.indexOf(field.partOf);
  return described;
}

function typeOf(field: Pick<protobuf.Field, "resolvedType" | "type" | "fullName">): {
  type: Type;
  typeName?: string;
  label: Label;
} {
  const label = Label.OPTIONAL;
  const of = field.resolvedType;
  if (of instanceof protobuf.Enum) return { type: Type.ENUM, typeName: of.fullName, label };
  if (of instanceof protobuf.Type) return { type: Type.MESSAGE, typeName: of.fullName, label };
  const type = SCALAR_TYPES[field.type];
  if (!type) throw new Error(`${field.fullName}: no type ${field.type}`);
  return { type, label };
}

function entryName(field: { readonly name: string }): string {
  const camel = field.name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return `${camel.charAt(0).toUpperCase()}${camel.slice(1)}Entry`;
}

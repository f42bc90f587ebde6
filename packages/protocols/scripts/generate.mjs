// Generates src/gen/*.gen.ts from proto/*.proto: an interface and a static codec for each message.
// Usage: node scripts/generate.mjs [--check]      (--check: writes nothing, fails when a file is not current)
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";

const HERE = dirname(fileURLToPath(import.meta.url));
export const PROTO_DIR = join(HERE, "../proto");
export const GENERATED_DIR = join(HERE, "../src/gen");

/** Scalar types we use: TypeScript type, wire type, method of Reader and Writer, default. */
const SCALARS = {
  uint32: { type: "number", wire: 0, method: "uint32", zero: "0" },
  int32: { type: "number", wire: 0, method: "int32", zero: "0" },
  bool: { type: "boolean", wire: 0, method: "bool", zero: "false" },
  uint64: { type: "number", wire: 0, method: "uint64", zero: "0" },
  int64: { type: "number", wire: 0, method: "int64", zero: "0" },
  "uint64 @bigint": { type: "bigint", wire: 0, method: "uint64Big", zero: "0n" },
  "int64 @bigint": { type: "bigint", wire: 0, method: "int64Big", zero: "0n" },
  string: { type: "string", wire: 2, method: "string", zero: '""' },
  bytes: { type: "Uint8Array", wire: 2, method: "bytes", read: "bytesView", zero: "new Uint8Array(0)" },
};

/** Reads every .proto file, resolved, with the file's name on each top-level object. */
export function loadProtos() {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(PROTO_DIR, target);
  const names = readdirSync(PROTO_DIR)
    .filter((name) => name.endsWith(".proto"))
    .sort();
  root.loadSync(names, { keepCase: true, alternateCommentMode: true, preferTrailingComment: true });
  root.resolveAll();
  return { root, names };
}

/** container_id -> containerId, OCI -> OCI: protobuf-es's rule. */
function localName(name) {
  return name.replace(/_([a-z0-9])/gi, (_, letter) => letter.toUpperCase());
}

/** Packages whose messages bear names that others have too, and the word put before those that do not have it already. */
const WORDS = {
  "containerd.task.v2": "Task",
  "containerd.v1.types": "Task",
  "containerd.types": "Containerd",
  "containerd.services.events.ttrpc.v1": "Containerd",
  "containerd.runtime.bootstrap.v1": "Bootstrap",
  "io.containerd.cgroups.v1": "CgroupV1",
  "io.containerd.cgroups.v2": "CgroupV2",
  "runtimeoptions.v1": "Runtime",
  "kata.forwarder.v1": "Forwarder",
  "kata.resolver.v1": "Resolver",
};

/** Nested types are joined by an underscore: VolumeUsage.Unit -> VolumeUsage_Unit. */
function typeScriptName(type) {
  if (type.parent instanceof protobuf.Type) return `${typeScriptName(type.parent)}_${type.name}`;
  const word = WORDS[type.parent.fullName.slice(1)] ?? "";
  return type.name.includes(word) ? type.name : word + type.name;
}

function fileOf(type) {
  return (
    type.filename
      ?.split("/")
      .at(-1)
      .replace(/\.proto$/, "") ?? fileOf(type.parent)
  );
}

function scalar(field) {
  const big = /@bigint/.test(field.comment ?? "") ? " @bigint" : "";
  const found = SCALARS[field.type + big];
  if (!found) throw new Error(`${field.fullName}: the generator has no type ${field.type}${big}`);
  return found;
}

/** One value of a field, whether it stands alone, in a list or in a map. */
function fieldValue(field) {
  const of = field.resolvedType;
  if (of instanceof protobuf.Enum) return { kind: "scalar", ...SCALARS.int32 };
  if (of) return { kind: "message", type: typeScriptName(of), wire: 2 };
  return { kind: "scalar", ...scalar(field) };
}

function writeValue(value, tag, expression) {
  return value.kind === "message"
    ? `w.message(${tag}, ${value.type}, ${expression});`
    : `w.${value.method}(${tag}, ${expression});`;
}

function readValue(value, into = "") {
  return value.kind === "message" ? `r.message(${value.type}${into})` : `r.${value.read ?? value.method}()`;
}

/** The four faces of a field: its type, its default, how it is written, how it is read. */
function fieldFaces(field) {
  const name = localName(field.name);
  const value = fieldValue(field);
  const tag = field.id * 8 + value.wire;
  const at = `m.${name}`;
  if (field.map) {
    const type = `Map<string, ${value.type}>`;
    if (field.keyType !== "string") throw new Error(`${field.fullName}: map keys must be strings`);
    const zero = value.kind === "message" ? `${value.type}.empty()` : value.zero;
    return {
      name,
      type,
      zero: "new Map()",
      write: `${at}?.forEach((v, k) => { const start = w.openEntry(${field.id * 8 + 2}, k); ${writeValue(value, 16 + value.wire, "v")} w.close(start); });`,
      read: `r.entry(${at}, ${zero}, (r) => ${readValue(value)});`,
    };
  }
  if (field.repeated) {
    const packed = value.kind === "scalar" && value.wire === 0;
    return {
      name,
      type: `${value.type}[]`,
      zero: "[]",
      write: packed
        ? `if (${at}?.length) { const start = w.open(${field.id * 8 + 2}); for (const v of ${at}) w.${value.method}(0, v); w.close(start); }`
        : `if (${at}) for (const v of ${at}) ${writeValue(value, tag, "v")}`,
      read: packed
        ? `r.numbers(${at}, (r) => r.${value.method}());`
        : value.kind === "message"
          ? `${at}.push(${readValue(value)});`
          : `r.element(${at}, ${readValue(value)});`,
    };
  }
  if (value.kind === "message") {
    return {
      name,
      type: `${value.type} | undefined`,
      zero: "undefined",
      write: `if (${at}) ${writeValue(value, tag, at)}`,
      read: `${at} = ${readValue(value, `, ${at}`)};`,
    };
  }
  if (field.partOf) {
    if (field.partOf.fieldsArray.length > 1) throw new Error(`${field.fullName}: a oneof of several fields`);
    return {
      name,
      type: `${value.type} | undefined`,
      zero: "undefined",
      write: `if (${at} !== undefined) ${writeValue(value, tag, at)}`,
      read: `${at} = ${readValue(value)};`,
    };
  }
  return {
    name,
    type: value.type,
    zero: value.zero,
    write: `if (${field.type === "bytes" ? `${at}?.length` : at}) ${writeValue(value, tag, at)}`,
    read: `${at} = ${readValue(value)};`,
  };
}

function docComment(comment, indent = "") {
  const text = (comment ?? "").replace(/@bigint:?\s*/, "").trim();
  return text === ""
    ? ""
    : `${indent}/** ${text.replaceAll("*/", "*\\/").split("\n").join(`\n${indent} * `)} */\n`;
}

function generateMessage(type) {
  const name = typeScriptName(type);
  const faces = type.fieldsArray.map((field) => ({
    ...fieldFaces(field),
    id: field.id,
    comment: field.comment,
  }));
  const lines = (pick) => faces.map(pick).join("\n");
  const none = faces.length === 0;
  return `${docComment(type.comment)}export interface ${name} {
${lines((f) => `${docComment(f.comment, "  ")}  ${f.name}: ${f.type};`)}
}
export const ${name}: Codec<${name}> = /* @__PURE__ */ new Codec<${name}>(
  "${type.fullName.slice(1)}",
  () => ({ ${faces.map((f) => `${f.name}: ${f.zero}`).join(", ")} }),
  (${none ? "" : "m, w"}) => {
${lines((f) => `    ${f.write}`)}
  },
  (${none ? "" : "m, r"}) => {${
    none
      ? "\n    return false;"
      : `
    switch (r.field) {
${lines((f) => `      case ${f.id}: ${f.read} return true;`)}
      default: return false;
    }`
  }
  },
);
`;
}

function generateEnum(type) {
  const rows = Object.entries(type.values).map(([name, number]) => `${name}: ${number}`);
  return `${docComment(type.comment)}export const ${typeScriptName(type)} = { ${rows.join(", ")} } as const;\n`;
}

function generateService(service) {
  const fullName = service.fullName.slice(1);
  const methods = service.methodsArray.map((method) => {
    const [req, res] = [
      typeScriptName(method.resolvedRequestType),
      typeScriptName(method.resolvedResponseType),
    ];
    if (method.requestStream || method.responseStream) throw new Error(`${method.fullName}: streaming`);
    return `${docComment(method.comment, "  ")}  ${method.name}: { service: "${fullName}", method: "${method.name}", request: ${req}, response: ${res} } as Method<${req}, ${res}>,`;
  });
  return `${docComment(service.comment)}export const ${typeScriptName(service)} = {\n${methods.join("\n")}\n} as const;\n`;
}

/** Every message, enum and service of a namespace, depth first, in the file's order. */
function objectsOf(namespace) {
  return namespace.nestedArray.flatMap((object) =>
    object instanceof protobuf.Type ||
    !(object instanceof protobuf.Namespace) ||
    object instanceof protobuf.Service
      ? [object, ...(object.nestedArray ? objectsOf(object) : [])]
      : objectsOf(object),
  );
}

function usedTypes(object) {
  if (object instanceof protobuf.Service) {
    return object.methodsArray.flatMap((method) => [method.resolvedRequestType, method.resolvedResponseType]);
  }
  return object instanceof protobuf.Type
    ? object.fieldsArray.map((field) => field.resolvedType).filter((of) => of instanceof protobuf.Type)
    : [];
}

function generateFile(file, objects) {
  const imports = new Map();
  for (const type of objects.flatMap(usedTypes)) {
    const from = fileOf(type);
    if (from !== file) imports.set(from, (imports.get(from) ?? new Set()).add(typeScriptName(type)));
  }
  // Services last: their tables name codecs, which must exist by then.
  const isService = (object) => object instanceof protobuf.Service;
  const ordered = [...objects.filter((o) => !isService(o)), ...objects.filter(isService)];
  const bodies = ordered.map((object) =>
    isService(object)
      ? generateService(object)
      : object instanceof protobuf.Enum
        ? generateEnum(object)
        : generateMessage(object),
  );
  const hasMessages = objects.some((object) => object instanceof protobuf.Type);
  const codecImport = !hasMessages
    ? "import type { Method }"
    : `import { ${objects.some(isService) ? "Codec, type Method" : "Codec"} }`;
  return [
    `// GENERATED by scripts/generate.mjs from proto/${file}.proto: do not edit.`,
    `${codecImport} from "../codec.ts";`,
    ...[...imports]
      .sort()
      .map(([from, names]) => `import { ${[...names].sort().join(", ")} } from "./${from}.gen.ts";`),
    "",
    bodies.join("\n"),
  ].join("\n");
}

/** File name -> contents of every generated file. */
export function generate() {
  const { root, names } = loadProtos();
  const objects = objectsOf(root);
  return new Map(
    names.map((name) => {
      const file = name.replace(/\.proto$/, "");
      return [
        `${file}.gen.ts`,
        generateFile(
          file,
          objects.filter((object) => fileOf(object) === file),
        ),
      ];
    }),
  );
}

function main() {
  const check = process.argv.includes("--check");
  for (const [name, contents] of generate()) {
    const path = join(GENERATED_DIR, name);
    if (!check) writeFileSync(path, contents);
    else if (readFileSync(path, "utf8") !== contents)
      throw new Error(`${path} is not current: npm run generate -w @kata-containers/protocols`);
  }
}
if (process.argv[1] === fileURLToPath(import.meta.url)) main();

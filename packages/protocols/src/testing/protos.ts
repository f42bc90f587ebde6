import { readdirSync } from "node:fs";
import { join } from "node:path";
import protobuf from "protobufjs";

const PROTO_DIR = join(import.meta.dirname, "../../proto");

/** Our .proto files, read and resolved. */
export function loadProtos(): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(PROTO_DIR, target);
  root.loadSync(
    readdirSync(PROTO_DIR).filter((name) => name.endsWith(".proto")),
    { keepCase: true },
  );
  root.resolveAll();
  return root;
}

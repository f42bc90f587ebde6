import { parseSpec } from "@kata-containers/oci";
import { type Bundle, bundleOf, checkNamespacesOf, readBundle } from "@kata-containers/shim";
import { joinPath, KataError, ops } from "@kata-containers/sys";
import type { ContainerOptions } from "./api.ts";
import { defaultSpec } from "./default-spec.ts";

/**
 * The bundle that the options name or describe, checked.
 * @throws KataError InvalidArgument, NotFound; Unimplemented for what only kata-runtime does
 */
export function containerBundle(options: ContainerOptions): Bundle {
  const bundle = options.bundle === undefined ? described(options) : named(options, options.bundle);
  if (bundle.process.terminal)
    throw unimplemented(bundle, "process.terminal: a library's container has none");
  if (Object.values(bundle.spec.hooks ?? {}).some((hooks) => hooks !== undefined && hooks.length > 0))
    throw unimplemented(bundle, "hooks: the library runs none");
  checkNamespacesOf(bundle.spec);
  return bundle;
}

/** From the program's current directory when it is relative. */
export function absolute(path: string): string {
  return joinPath(path.startsWith("/") ? "/" : ops.readlink("/proc/self/cwd"), path);
}

const DESCRIBING = ["rootfs", "args", "env", "cwd", "hostname"] as const;

function named(options: ContainerOptions, path: string): Bundle {
  const other = DESCRIBING.find((name) => options[name] !== undefined);
  if (other !== undefined) throw invalid(`${other}: a bundle has its own (give either)`);
  return readBundle(absolute(path));
}

function described(options: ContainerOptions): Bundle {
  const { rootfs, args } = options;
  if (rootfs === undefined) throw invalid("bundle or rootfs: one of them is needed");
  if (args === undefined || args.length === 0) throw invalid("args: a command is needed with rootfs");
  const path = absolute(rootfs);
  const configJson = ops.utf8Encode(JSON.stringify(defaultSpec({ ...options, rootfs: path, args })));
  // What is wrong is an option of the caller's, not a file's.
  parseSpec(configJson, "options");
  return bundleOf(path, configJson);
}

function invalid(message: string): KataError {
  return new KataError("InvalidArgument", message);
}

function unimplemented({ path }: Bundle, what: string): KataError {
  return new KataError("Unimplemented", `${path}/config.json: ${what} (use kata-runtime)`);
}

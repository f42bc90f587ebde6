import { type Mount, type Process, parseSpec, type Spec } from "@kata-containers/oci";
import { isSysError, joinPath, KataError, MAX_TEXT_BYTES, ops, S } from "@kata-containers/sys";
import { mountsToOpen } from "@kata-containers/virtcontainers";
import { checkDevices } from "./host-devices.ts";

/** A bundle that was read and checked: OCI runtime-spec, bundle.md. */
export interface Bundle {
  /** Absolute. */
  readonly path: string;
  readonly spec: Spec;
  readonly process: Process;
  /** config.json as it was read. */
  readonly configJson: Uint8Array;
  /** Absolute path of the root file system. */
  readonly rootfs: string;
  readonly volumes: readonly BindMount[];
}

/** A bind mount of the specification whose source is the host's. */
export interface BindMount {
  /** Index into the specification's mounts. */
  readonly index: number;
  /** Absolute. */
  readonly source: string;
  readonly destination: string;
  readonly directory: boolean;
  /** Its submounts come along ("rbind"). */
  readonly recursive: boolean;
  /** "ro": the mount itself; "rro": its submounts too. */
  readonly readonly: "no" | "ro" | "rro";
}

/**
 * Reads a bundle and checks all that can be told without changing anything.
 * @throws KataError InvalidArgument or NotFound
 */
export function readBundle(path: string): Bundle {
  requireDirectory(path, "bundle");
  return bundleOf(path, readConfigJson(`${path}/config.json`));
}

/**
 * The bundle at a directory, whose config.json is given instead of read there; checked as `readBundle` does.
 * @throws KataError InvalidArgument or NotFound
 */
export function bundleOf(path: string, configJson: Uint8Array): Bundle {
  const spec = parseSpec(configJson, `${path}/config.json`);
  if (spec.process === undefined) throw invalid(`${path}/config.json: process: is missing`);
  if (spec.root === undefined) throw invalid(`${path}/config.json: root: is missing`);
  checkHooks(spec, path);
  checkDevices(spec, path);
  const rootfs = joinPath(path, spec.root.path);
  requireDirectory(rootfs, "rootfs");
  const volumes = mountsToOpen(spec).flatMap((index) => {
    const mount = spec.mounts?.[index];
    return mount === undefined ? [] : [readBindMount(mount, index, path)];
  });
  return { path, spec, process: spec.process, configJson, rootfs, volumes };
}

/** The two kinds that run in the container's own namespaces, which are the guest's: its programs are not there. */
function checkHooks({ hooks }: Spec, bundle: string): void {
  for (const kind of ["createContainer", "startContainer"] as const) {
    if (!hooks?.[kind]?.length) continue;
    throw new KataError(
      "Unimplemented",
      `${bundle}/config.json: hooks.${kind}: hooks that run inside the container are not supported in a VM`,
    );
  }
}

/** Reads a bundle's config.json. @throws KataError NotFound, InvalidArgument when it is no regular file */
export function readConfigJson(file: string): Uint8Array {
  try {
    // A FIFO would be waited for, for ever and deaf to signals.
    if ((ops.stat(file).mode & S.IFMT) !== S.IFREG) throw invalid(`${file}: is not a regular file`);
    return ops.readFile(file, MAX_TEXT_BYTES);
  } catch (error) {
    // runc's words, which callers of an OCI runtime know.
    if (isSysError(error, "ENOENT")) {
      throw new KataError("NotFound", `JSON specification file ${file} not found`, { cause: error });
    }
    throw KataError.from(error);
  }
}

function readBindMount(mount: Mount, index: number, bundle: string): BindMount {
  const options = mount.options ?? [];
  if (mount.source === undefined || mount.source === "") {
    throw invalid(
      `${bundle}/config.json: mounts[${index}] (${mount.destination}): a bind mount needs a source`,
    );
  }
  const source = joinPath(bundle, mount.source);
  return {
    index,
    source,
    destination: joinPath("/", mount.destination),
    directory: fileType(source, `source of mount ${mount.destination}`) === S.IFDIR,
    recursive: !options.includes("bind"),
    readonly: options.includes("rro") ? "rro" : lastOf(options, "ro", "rw") === "ro" ? "ro" : "no",
  };
}

function lastOf(options: readonly string[], ...names: readonly string[]): string | undefined {
  return options.findLast((option) => names.includes(option));
}

function requireDirectory(path: string, what: string): void {
  if (fileType(path, what) !== S.IFDIR) throw invalid(`${what} ${path}: not a directory`);
}

function fileType(path: string, what: string): number {
  try {
    return ops.stat(path).mode & S.IFMT;
  } catch (error) {
    if (isSysError(error, "ENOENT", "ENOTDIR")) {
      throw new KataError("NotFound", `${what} ${path}: no such file or directory`, { cause: error });
    }
    throw KataError.from(error, what);
  }
}

function invalid(message: string): KataError {
  return new KataError("InvalidArgument", message);
}

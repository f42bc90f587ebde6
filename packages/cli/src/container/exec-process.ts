import { type Capabilities, isId, type Process, parseProcess, type User } from "@kata-containers/oci";
import { KataError, MAX_TEXT_BYTES, ops } from "@kata-containers/sys";
import type { Values } from "../command.ts";
import type { processOptions } from "../commands/process-options.ts";
import { absolutePath } from "../paths.ts";

type ProcessValues = Values<typeof processOptions>;

/**
 * The process that `exec` is asked for: from --process, else the container's own changed by the options, as runc does.
 * @throws KataError InvalidArgument
 */
export function wantedProcess(
  options: ProcessValues,
  command: readonly string[],
  container: () => Process,
): Process {
  if (options.process !== undefined) {
    if (command.length > 0)
      throw new KataError("InvalidArgument", "exec: --process and COMMAND exclude each other");
    return fromFile(options.process, options);
  }
  if (command.length === 0)
    throw new KataError("InvalidArgument", "exec: COMMAND is missing (or name a --process file)");
  const own = container();
  const user = {
    ...own.user,
    ...readUser(options.user),
    ...withGroups(own.user, options["additional-gids"]),
  };
  return {
    ...own,
    args: command,
    terminal: options.tty,
    env: [...(own.env ?? []), ...options.env],
    cwd: options.cwd ?? own.cwd,
    ...(Object.keys(user).length === 0 ? {} : { user: { ...user, uid: user.uid ?? 0 } }),
    ...(options["no-new-privs"] ? { noNewPrivileges: true } : {}),
    ...(options.cap.length === 0 ? {} : { capabilities: withCapabilities(own.capabilities, options.cap) }),
  };
}

const EXCLUDED = ["cwd", "user", "env", "additional-gids", "cap", "no-new-privs"] as const;

function fromFile(file: string, options: ProcessValues): Process {
  const extra = EXCLUDED.find((name) => {
    const value = options[name];
    return Array.isArray(value) ? value.length > 0 : Boolean(value);
  });
  if (extra !== undefined)
    throw new KataError("InvalidArgument", `exec: --process and --${extra} exclude each other`);
  const path = absolutePath(file);
  const process = parseProcess(readBytes(path, "cannot read the process"), path);
  return options.tty ? { ...process, terminal: true } : process;
}

function readUser(text: string | undefined): Partial<User> {
  if (text === undefined) return {};
  const [uid, gid] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text)?.slice(1) ?? [];
  if (uid === undefined || !isId(Number(uid)) || !isId(Number(gid ?? 0)))
    throw new KataError(
      "InvalidArgument",
      `exec: --user ${JSON.stringify(text)}: must be UID or UID:GID, from 0 to 4294967294`,
    );
  return gid === undefined ? { uid: Number(uid) } : { uid: Number(uid), gid: Number(gid) };
}

function withGroups(own: User | undefined, texts: readonly string[]): Partial<User> {
  if (texts.length === 0) return {};
  const added = texts
    .flatMap((text) => text.split(","))
    .map((text) => {
      if (!/^\d{1,10}$/.test(text) || !isId(Number(text)))
        throw new KataError(
          "InvalidArgument",
          `exec: --additional-gids ${JSON.stringify(text)}: must be a number from 0 to 4294967294`,
        );
      return Number(text);
    });
  return { additionalGids: [...(own?.additionalGids ?? []), ...added] };
}

/** As runc: not inheritable, so that no ambient one comes of it (CVE-2022-29162). */
function withCapabilities(own: Capabilities | undefined, added: readonly string[]): Capabilities {
  const wrong = added.find((name) => !/^CAP_[A-Z_]+$/.test(name));
  if (wrong !== undefined)
    throw new KataError(
      "InvalidArgument",
      `exec: --cap ${JSON.stringify(wrong)}: must be a name like CAP_NET_ADMIN`,
    );
  const all = (set: readonly string[] | undefined) => [...new Set([...(set ?? []), ...added])];
  return {
    ...own,
    bounding: all(own?.bounding),
    effective: all(own?.effective),
    permitted: all(own?.permitted),
  };
}

function readBytes(path: string, what: string): Uint8Array {
  try {
    return ops.readFile(path, MAX_TEXT_BYTES);
  } catch (error) {
    throw KataError.from(error, what);
  }
}

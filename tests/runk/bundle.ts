import { type StdioOptions, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { expectNoLeaks } from "../harness/leaks.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");
export const RUNK = process.env.RUNK ?? join(REPOSITORY, "build/bin/runk");
const BUILT = join(REPOSITORY, "build/bin/kata-launch");
export const LAUNCH = existsSync(BUILT)
  ? BUILT
  : join(REPOSITORY, "target/x86_64-unknown-linux-gnu/release/kata-launch");

/** The reference: Debian's runc. */
export const RUNC = "/usr/sbin/runc";

export type Result = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

/** Changes a config.json that is about to be written. */
export type Change = (spec: Writable) => void;
export type Writable = Record<string, unknown> & {
  process: Record<string, unknown>;
  linux: Record<string, unknown>;
  root: Record<string, unknown>;
  mounts: object[];
};

const APPLETS = [
  "sh",
  "ls",
  "cat",
  "id",
  "mount",
  "true",
  "ps",
  "stat",
  "readlink",
  "hostname",
  "touch",
  "echo",
  "sleep",
  "mknod",
  "grep",
  "sort",
  "mkdir",
  "dd",
  "tty",
  "stty",
  "umask",
  "env",
  "pwd",
  "kill",
  "head",
  "ln",
  "rm",
  "sed",
  "cut",
  "wc",
  "ip",
];

let count = 0;

/** A bundle in a directory of its own, with a root of busybox, and the runtimes that run it. */
export class Bundle {
  readonly path: string;
  readonly rootfs: string;
  /** The state directory, which also marks everything of ours on the host. */
  readonly state: string;
  readonly ids: string[] = [];
  /** The kata-launch that runk executes. */
  launch = LAUNCH;

  constructor(change: Change = () => {}) {
    // Readable by the users of a user namespace, as a container's root has to be.
    this.path = mkdtempSync(`/var/tmp/runk-test-bundle-${process.pid}-`);
    chmodSync(this.path, 0o755);
    this.state = join(this.path, "state");
    this.rootfs = join(this.path, "rootfs");
    for (const directory of ["bin", "etc", "tmp", "root"])
      mkdirSync(join(this.rootfs, directory), { recursive: true });
    cpSync("/bin/busybox", join(this.rootfs, "bin/busybox"));
    for (const applet of APPLETS) symlinkSync("busybox", join(this.rootfs, "bin", applet));
    writeFileSync(
      join(this.rootfs, "etc/passwd"),
      "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n",
    );
    this.configure(change);
  }

  configure(change: Change): void {
    const spec = defaultSpec();
    change(spec);
    writeFileSync(join(this.path, "config.json"), JSON.stringify(spec));
  }

  /** An id that no other test uses. */
  id(): string {
    const id = `runk-test-${process.pid}-${count++}`;
    this.ids.push(id);
    return id;
  }

  runk(...args: string[]): Result {
    return run(RUNK, this.command(...args).slice(1), this.path);
  }

  /** The words that start runk, for programs that start it themselves. */
  command(...args: string[]): string[] {
    return [RUNK, "--root", this.state, "--launch", this.launch, ...args];
  }

  /** `run` in the foreground. */
  run(...args: string[]): Result {
    return this.runk("run", ...args, this.id());
  }

  /** `run` in the foreground by runc. */
  runc(): Result {
    return this.runcCommand("run", this.id());
  }

  runcCommand(...args: string[]): Result {
    return run(RUNC, ["--root", join(this.path, "runc"), ...args], this.path);
  }

  /** Through a shell, which opens descriptors: "$0" "$@" are the words that start runk. */
  shell(text: string, ...args: string[]): Result {
    return run("/bin/sh", ["-c", text, ...this.command(...args)], this.path);
  }

  /** In the background, without output. @returns its exit status */
  async start(...args: string[]): Promise<number | null> {
    const [program = "", ...words] = this.command(...args);
    const child = spawn(program, words, { cwd: this.path, stdio: "ignore", timeout: 60_000 });
    return (await once(child, "exit"))[0];
  }

  /** In the background; told each line of its standard output. @returns its exit status */
  async follow(onLine: (line: string) => void, ...args: string[]): Promise<number | null> {
    const [program = "", ...words] = this.command(...args);
    const stdio: StdioOptions = ["ignore", "pipe", "inherit"];
    const child = spawn(program, words, { cwd: this.path, stdio, timeout: 60_000 });
    if (child.stdout) createInterface({ input: child.stdout }).on("line", onLine);
    return (await once(child, "close"))[0];
  }

  /** A file of the container's root; "" when it is not there. */
  read(path: string): string {
    const file = join(this.rootfs, path);
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }

  /** Removes containers and files; fails when the host shows anything else of ours. */
  async close(): Promise<void> {
    for (const id of this.ids) this.runk("delete", "--force", id);
    try {
      await expectNoLeaks({ root: this.state, ids: this.ids });
    } finally {
      rmSync(this.path, { recursive: true, force: true });
    }
  }
}

/** Output goes to files: a pipe would stay open for as long as a container that is left running. */
function run(program: string, args: string[], cwd: string): Result {
  const directory = mkdtempSync(`/tmp/runk-output-${process.pid}-`);
  const files = [join(directory, "stdout"), join(directory, "stderr")] as const;
  const [out, err] = [openSync(files[0], "w"), openSync(files[1], "w")];
  try {
    const stdio: StdioOptions = ["ignore", out, err];
    const { error, status } = spawnSync(program, args, {
      cwd,
      stdio,
      timeout: 20_000,
      killSignal: "SIGKILL",
    });
    if (error) throw error;
    return { status, stdout: readFileSync(files[0], "utf8"), stderr: readFileSync(files[1], "utf8") };
  } finally {
    for (const fd of [out, err]) closeSync(fd);
    rmSync(directory, { recursive: true });
  }
}

/** A shell script as the container's command. */
export function script(text: string): Change {
  return (spec) => {
    spec.process.args = ["sh", "-c", text];
  };
}

/** What `runc spec` writes, without terminal. */
function defaultSpec(): Writable {
  return JSON.parse(readFileSync(join(import.meta.dirname, "default-config.json"), "utf8"));
}

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { linkTarget, pids } from "./leaks.ts";
import { type Ended, eventually, run } from "./process.ts";

/** The first process: keeps the namespaces until its standard input ends, which it also does when this process dies. */
const INIT = `
set -e
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /var/lib
mount --bind "$1" "$1"
mount --make-shared "$1"
ip link set lo up
exec 3<&0
cat <&3 > /dev/null &
echo ready
wait "$!"
`;

/**
 * This machine with mount, network and pid namespaces of its own, and an empty /run, /dev/shm and /var/lib: container engines run in it as
 * they do on a host, and what they leave (interfaces, firewall rules, mounts, processes) ends with it, however the test ends. Control groups are
 * this machine's: those of the test are below `cgroup`.
 */
export class PrivateHost implements AsyncDisposable {
  /** A directory for the engines' state, a shared mount there. */
  readonly path = mkdtempSync("/var/tmp/kata-clients-");
  /** The parent of the containers' control groups. */
  readonly cgroup = basename(this.path);
  readonly #init: ChildProcess;

  private constructor() {
    const namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--propagation", "private"];
    this.#init = spawn("unshare", [...namespaces, "sh", "-c", INIT, "init", this.path], {
      stdio: ["pipe", "pipe", "inherit"],
    });
  }

  static async start(): Promise<PrivateHost> {
    const host = new PrivateHost();
    const { stdout } = host.#init;
    if (stdout === null) throw new Error("unshare: no standard output");
    const said = await Promise.race([once(stdout, "data"), once(host.#init, "exit")]);
    if (`${said[0]}`.trim() !== "ready") throw new Error(`unshare: ended with ${said[0]}`);
    return host;
  }

  /** The words that run a program there. */
  command(...words: readonly string[]): [program: string, ...args: string[]] {
    return ["nsenter", ...this.#namespaces(), ...words];
  }

  /** Runs a shell script there, for a bounded time: status 137 when it was over. */
  run(script: string, env: NodeJS.ProcessEnv = {}, seconds = 60): Promise<Ended> {
    const [program, ...args] = this.command("timeout", "-s", "KILL", `${seconds}`, "sh", "-c", script);
    return run(program, args, {
      env: { ...process.env, ...env },
      timeoutMs: (seconds + 30) * 1000,
    });
  }

  /** Starts a program there that is left running; what it says is added to `log` in the host's directory. */
  async launch(command: string, log: string, env: NodeJS.ProcessEnv = {}): Promise<void> {
    await this.run(`setsid ${command} >> ${join(this.path, log)} 2>&1 < /dev/null &`, env);
  }

  /** All that there is: processes, mounts, interfaces, firewall rules, names in /run, control groups. One line each, sorted. */
  async inventory(): Promise<string[]> {
    const { stdout } = await this.run(
      `sed 's/^/mount /' < /proc/self/mountinfo | cut -d' ' -f 1,6,9-
       ip -o link | cut -d: -f 2 | sed 's/^/interface/'
       iptables-save | grep '^[-]' | sed 's/^/rule /'
       ls -d /run/netns/* /run/runk/* /run/runc/* /run/containerd/s/* /run/vc/sbs/* 2> /dev/null
       find /run/vc /run/kata /run/kata-containers ! -type d 2> /dev/null
       find ${this.path} -path '*/runtime-*' ! -type d`,
    );
    const processes = this.#processes().map((line) => `process ${line}`);
    const lines = stdout.trim().split("\n");
    return [...lines, ...processes, ...this.#cgroups().map((path) => `cgroup ${path}`)].sort();
  }

  #namespaces(): string[] {
    const of = (name: string) => `/proc/${this.#init.pid}/ns/${name}`;
    return [`--mount=${of("mnt")}`, `--net=${of("net")}`, `--pid=${of("pid_for_children")}`];
  }

  #processes(): string[] {
    const own = linkTarget(`/proc/${this.#init.pid}/ns/pid_for_children`);
    return pids()
      .filter((pid) => linkTarget(`/proc/${pid}/ns/pid`) === own)
      .map(nameOf)
      .filter((name) => name !== "");
  }

  /** Deepest first. */
  #cgroups(): string[] {
    return controllers().flatMap((root) => below(join(root, this.cgroup)));
  }

  /** Ends all processes there, removes the control groups and the directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#init, "exit");
    this.#init.stdin?.end();
    await ended;
    // The last processes may still be on their way out.
    await eventually("control groups can be removed", () => this.#cgroups().every(isRemoved) || undefined);
    rmSync(this.path, { recursive: true, force: true });
  }
}

function isRemoved(cgroup: string): boolean {
  try {
    rmdirSync(cgroup);
    return true;
  } catch {
    return false;
  }
}

/** "" when it has ended. */
function nameOf(pid: number): string {
  try {
    const [, name, state] = /\((.*)\) (.)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    return state === "Z" || state === "X" || name === undefined ? "" : name;
  } catch {
    return "";
  }
}

/** Where the hierarchies of control groups are. */
export function controllers(): string[] {
  const root = "/sys/fs/cgroup";
  return [root, ...readdirSync(root).map((name) => join(root, name))];
}

function below(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...entries.flatMap(({ name }) => below(join(directory, name))), directory];
  } catch {
    return [];
  }
}

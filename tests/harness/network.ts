import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readlinkSync, writeFileSync } from "node:fs";
import { eventually, run } from "./process.ts";

const HOST = readlinkSync("/proc/self/ns/net");

/** A network namespace of a test's own, without a name: it is there as long as a process of it lives. */
export class NetworkNamespace {
  readonly #process: ChildProcess;
  readonly pid: number;
  readonly #names: string[] = [];

  private constructor(process: ChildProcess, pid: number) {
    this.#process = process;
    this.pid = pid;
  }

  static async open(): Promise<NetworkNamespace> {
    const process = spawn("unshare", ["--net", "sleep", "100000"], { stdio: "ignore" });
    const pid = process.pid;
    if (pid === undefined) throw new Error("unshare does not start");
    await eventually("a network namespace", () => {
      try {
        return readlinkSync(`/proc/${pid}/ns/net`) !== HOST || undefined;
      } catch {
        return undefined;
      }
    });
    return new NetworkNamespace(process, pid);
  }

  /** For config.json. */
  get path(): string {
    return `/proc/${this.pid}/ns/net`;
  }

  /** A name in the file system, as CNI gives it: a file that the namespace is mounted on until it is closed. */
  named(file: string): string {
    writeFileSync(file, "");
    execFileSync("mount", ["--bind", this.path, file]);
    this.#names.push(file);
    return file;
  }

  /** The words that run a program in here. */
  command(...words: readonly string[]): string[] {
    return ["nsenter", `--net=${this.path}`, ...words];
  }

  /** A program's output. @throws when it fails */
  run(...words: readonly string[]): string {
    const [program = "", ...args] = this.command(...words);
    return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  }

  /** Commands of ip(8), a line each. */
  ip(...lines: readonly string[]): void {
    for (const line of lines) this.run("ip", ...line.split(" "));
  }

  /** A program to its end, beside others. */
  async started(...words: readonly string[]): Promise<{ status: number; stdout: string; stderr: string }> {
    const [program = "", ...args] = this.command(...words);
    return await run(program, args);
  }

  /** Waits until the kernel has given each interface that is up its own IPv6 address, and nobody checks one any more. */
  async settled(): Promise<void> {
    await eventually("IPv6 addresses", () => {
      const links = [...this.run("ip", "-o", "link", "show", "up").matchAll(/^\d+: ([^:@]+)/gm)];
      const settled = links.every(([, name = ""]) => {
        const addresses = this.run("ip", "-6", "address", "show", "dev", name);
        return name === "lo" || (addresses.includes("inet6 fe80:") && !addresses.includes("tentative"));
      });
      return settled || undefined;
    });
  }

  /** All that a sandbox could leave in here: links, addresses, routes, neighbours that stay, qdiscs and filters. */
  picture(): string {
    const links = this.run("ip", "-o", "link").matchAll(/^\d+: ([^:@]+)/gm);
    const filters = [...links].map(([, name = ""]) =>
      this.run("tc", "filter", "show", "dev", name, "ingress"),
    );
    const commands = [
      ["ip", "-d", "link"],
      ["ip", "address"],
      ["ip", "route", "show", "table", "all"],
      ["ip", "-6", "route", "show", "table", "all"],
      ["ip", "neighbour", "show", "nud", "permanent"],
      ["tc", "qdisc"],
    ];
    return [...commands.map((words) => this.run(...words)), ...filters].join("---\n");
  }

  async close(): Promise<void> {
    for (const file of this.#names) execFileSync("umount", [file]);
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }
}

/** A namespace that plays the host's bridge, and one for a sandbox. */
export class TestNetwork {
  readonly outside: NetworkNamespace;
  readonly inside: NetworkNamespace;

  constructor(outside: NetworkNamespace, inside: NetworkNamespace) {
    this.outside = outside;
    this.inside = inside;
    for (const each of [outside, inside]) each.ip("link set lo up");
  }

  static async open(): Promise<TestNetwork> {
    return new TestNetwork(await NetworkNamespace.open(), await NetworkNamespace.open());
  }

  /** A veth pair: `name` inside with the addresses 10.N.0.2/24 and fdN::2/64, 10.N.0.1 and fdN::1 outside. */
  connect(name: string, number: number, mtu = 1500): void {
    const peer = `out${number}`;
    this.outside.ip(
      `link add ${peer} mtu ${mtu} type veth peer name ${name} mtu ${mtu} netns ${this.inside.pid}`,
      `address add 10.${number}.0.1/24 dev ${peer}`,
      `address add fd${number}::1/64 dev ${peer} nodad`,
      `link set ${peer} up`,
    );
    this.inside.ip(
      `address add 10.${number}.0.2/24 dev ${name}`,
      `address add fd${number}::2/64 dev ${name} nodad`,
      `link set ${name} up`,
    );
  }

  async settled(): Promise<void> {
    await this.inside.settled();
    await this.outside.settled();
  }

  disconnect(number: number): void {
    this.outside.ip(`link delete out${number}`);
  }

  async close(): Promise<void> {
    await this.inside.close();
    await this.outside.close();
  }
}

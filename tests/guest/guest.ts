import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Client, createClient, openSession } from "@kata-containers/ttrpc";
import { statusOf } from "../harness/process.ts";
import { SocketTransport } from "./socket-transport.ts";

const repository = resolve(import.meta.dirname, "../..");
const QBOOT = "/usr/share/qemu/qboot.rom";
const VIRTIOFSD = "/usr/lib/qemu/virtiofsd";
/** guest/README.md says why. */
const CMDLINE =
  "quiet panic=1 reboot=k cryptomgr.notests noreplace-smp tsc=reliable no_timer_check acpi=noirq nolapic_timer";
const LIMIT_SECONDS = "60";

export interface GuestOptions {
  readonly cmdline?: string;
  /** Without it the guest has no share. */
  readonly share?: boolean;
}

/** A virtual machine with our kernel and image, driven over its agent channel: nothing of the host's side is in it but QEMU. */
export class Guest implements AsyncDisposable {
  /** What the share shows. */
  readonly shared: string;
  /** When QEMU was executed, performance.now(). */
  readonly startedAt = performance.now();
  readonly #directory = mkdtempSync(join(tmpdir(), "kata-guest-"));
  readonly #children: ChildProcess[] = [];
  #line: Socket | undefined;

  constructor(options: GuestOptions = {}) {
    this.shared = join(this.#directory, "shared");
    mkdirSync(this.shared);
    const share = options.share ?? true;
    if (share) {
      const args = [
        `--socket-path=${this.#path("fs.sock")}`,
        "-o",
        `source=${this.shared},cache=auto,announce_submounts`,
      ];
      this.#start(VIRTIOFSD, args, "virtiofsd.log");
    }
    const awaited = share ? this.#path("fs.sock") : undefined;
    this.#start("qemu-system-x86_64", this.#qemuArguments(options, share), "qemu.log", awaited);
  }

  /** Connects to the agent channel and opens a session; an earlier session ends. */
  async connect(timeoutMs = 30_000): Promise<Client> {
    this.#line?.destroy();
    const path = this.#path("agent.sock");
    const end = Date.now() + timeoutMs;
    while (!existsSync(path)) {
      if (Date.now() > end) throw new Error(`QEMU does not listen: ${this.log("qemu.log")}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const socket = createConnection(path);
    this.#line = socket;
    const transport = new SocketTransport(socket);
    const nonce = new Uint8Array(randomBytes(16));
    return createClient(await openSession(transport, { timeoutMs, nonce }));
  }

  /** What a program of the host's side, or the guest's console, has said. */
  log(name: "qemu.log" | "virtiofsd.log" | "console.log"): string {
    return existsSync(this.#path(name)) ? readFileSync(this.#path(name), "utf8") : "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#line?.destroy();
    for (const child of this.#children.reverse()) {
      child.kill("SIGTERM");
      await statusOf(child);
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  /**
   * `timeout` ends what a test that breaks leaves behind; killed itself, it passes the signal on.
   * @param awaited a socket that must be there before: QEMU ends at once when virtiofsd does not listen yet
   */
  #start(program: string, args: readonly string[], log: string, awaited?: string): void {
    const wait = awaited === undefined ? "" : `until [ -S '${awaited}' ]; do sleep 0.01; done; `;
    const command = [
      "-k",
      "1",
      LIMIT_SECONDS,
      "sh",
      "-c",
      `${wait}exec "$@" >"$0" 2>&1`,
      this.#path(log),
      program,
      ...args,
    ];
    this.#children.push(spawn("timeout", command, { stdio: "ignore" }));
  }

  #qemuArguments(options: GuestOptions, share: boolean): string[] {
    const cmdline = `${CMDLINE} ${options.cmdline ?? ""}`;
    return [
      ...["-accel", "tcg", "-machine", "pc,memory-backend=ram", "-m", "256", "-smp", "1"],
      ...["-nodefaults", "-no-user-config", "-nographic", "-no-reboot"],
      ...["-object", "memory-backend-memfd,id=ram,size=256M,share=on"],
      ...(existsSync(QBOOT) ? ["-bios", QBOOT] : []),
      ...[
        "-kernel",
        join(repository, "build/guest/vmlinux"),
        "-initrd",
        join(repository, "build/guest/initrd.img"),
      ],
      ...["-append", cmdline],
      ...(cmdline.includes("console=ttyS0") ? ["-serial", `file:${this.#path("console.log")}`] : []),
      ...["-device", "virtio-serial-pci"],
      ...["-chardev", `socket,id=agent,path=${this.#path("agent.sock")},server=on,wait=off`],
      ...["-device", "virtserialport,chardev=agent,name=agent.channel.0"],
      ...["-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng"],
      ...(share
        ? [
            "-chardev",
            `socket,id=fs,path=${this.#path("fs.sock")}`,
            "-device",
            "vhost-user-fs-pci,chardev=fs,tag=kataShared",
          ]
        : []),
    ];
  }
}

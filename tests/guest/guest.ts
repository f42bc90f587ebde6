import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { loadNodeAddon, ops } from "@kata-containers/sys";
import { type Client, createClient, openSession } from "@kata-containers/ttrpc";
import { cpio } from "../../guest/cpio.mjs";
import { statusOf } from "../harness/process.ts";
import { SocketTransport } from "../harness/socket-transport.ts";

const repository = resolve(import.meta.dirname, "../..");
const QBOOT = "/usr/share/qemu/qboot.rom";
const VIRTIOFSD = "/usr/lib/qemu/virtiofsd";
/** guest/README.md says why. */
const CMDLINE =
  "quiet panic=1 reboot=k cryptomgr.notests noreplace-smp tsc=reliable no_timer_check acpi=noirq nolapic_timer";
/** Flags of such a socket in /proc/net/unix: __SO_ACCEPTCON. */
const LISTENING = "00010000";
/** Of a whole file's tests, on a busy machine. */
const LIMIT_SECONDS = 300;

/** Of the host's time-stamp counter: a guest that measures it on a busy host has a clock that runs several times too fast. */
function tscKhz(): number {
  loadNodeAddon(join(repository, "build/node/kata-sys.node"));
  const first = ops.tsc();
  let last = first;
  while (last.ms - first.ms < 5) last = ops.tsc();
  return Math.round((last.ticks - first.ticks) / (last.ms - first.ms));
}

export interface GuestOptions {
  readonly cmdline?: string;
  /** Without it the guest has no share. */
  readonly share?: boolean;
  /** Life of the machine; by default 300. */
  readonly limitSeconds?: number;
  /** Lines of a shell script that runs as PID 1 first, and then becomes the agent; $sh is the shell. */
  readonly before?: string;
}

/** A virtual machine with our kernel and image, driven over its agent channel: nothing of the host's side is in it but QEMU. */
export class Guest implements AsyncDisposable {
  /** What the share shows. */
  readonly shared: string;
  /** When QEMU was executed, performance.now(). */
  readonly startedAt = performance.now();
  readonly #directory = mkdtempSync(join(tmpdir(), `kata-guest-${process.pid}-`));
  readonly #children: ChildProcess[] = [];
  readonly #limitSeconds: number;
  #line: Socket | undefined;

  constructor(options: GuestOptions = {}) {
    this.shared = join(this.#directory, "shared");
    mkdirSync(this.shared);
    this.#limitSeconds = options.limitSeconds ?? LIMIT_SECONDS;
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

  /**
   * Connects to the agent channel and opens a session; an earlier session ends.
   * @param fillAfterMs as in SessionOptions
   */
  async connect(timeoutMs = 30_000, fillAfterMs?: number): Promise<Client> {
    this.#line?.destroy();
    const socket = await this.#dial(Date.now() + timeoutMs);
    this.#line = socket;
    const transport = new SocketTransport(socket);
    const nonce = new Uint8Array(randomBytes(16));
    const session = openSession(transport, {
      timeoutMs,
      nonce,
      ...(fillAfterMs === undefined ? {} : { fillAfterMs }),
    }).catch((cause: unknown) => {
      throw new Error(`no session; QEMU says: ${JSON.stringify(this.log("qemu.log"))}`, { cause });
    });
    return createClient(await session);
  }

  /** Writes these bytes on the line as they are, and cuts it. */
  async cut(bytes: Uint8Array): Promise<void> {
    await new Promise((resolve) => this.#line?.write(bytes, resolve));
    this.#line?.destroy();
  }

  /** QEMU makes the socket's file before it listens on it. */
  async #dial(end: number): Promise<Socket> {
    for (;;) {
      const socket = createConnection(this.#path("agent.sock"));
      try {
        await once(socket, "connect");
        return socket;
      } catch (cause) {
        if (Date.now() > end) throw new Error(`QEMU does not listen: ${this.log("qemu.log")}`, { cause });
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
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
   * @param awaited a socket on which somebody must listen before: QEMU ends at once when virtiofsd does not listen yet
   */
  #start(program: string, args: readonly string[], log: string, awaited?: string): void {
    const wait =
      awaited === undefined
        ? ""
        : `until grep -q ' ${LISTENING} .* ${awaited}$' /proc/net/unix; do sleep 0.01; done; `;
    const command = [
      "-k",
      "1",
      `${this.#limitSeconds}`,
      "sh",
      "-c",
      `${wait}exec "$@" >"$0" 2>&1`,
      this.#path(log),
      program,
      ...args,
    ];
    this.#children.push(spawn("timeout", command, { stdio: "ignore" }));
  }

  /** The image, with a script that runs before the agent: the kernel unpacks archives one after the other. */
  #initrd(before: string | undefined): string {
    const image = join(repository, "build/guest/initrd.img");
    if (before === undefined) return image;
    const script = `#!/busybox sh\nsh='/busybox sh'\n${before}\nexec /init\n`;
    const more = cpio([
      { path: "busybox", file: readFileSync("/bin/busybox"), mode: 0o755 },
      { path: "before", file: Buffer.from(script), mode: 0o755 },
    ]);
    const path = this.#path("initrd.img");
    writeFileSync(path, Buffer.concat([readFileSync(image), more]));
    return path;
  }

  #qemuArguments(options: GuestOptions, share: boolean): string[] {
    const { cmdline: more = "", before } = options;
    const rdinit = before === undefined ? "" : "rdinit=/before";
    const cmdline = `${CMDLINE} tsc_early_khz=${tscKhz()} ${rdinit} ${more}`;
    return [
      ...["-accel", "tcg", "-machine", "pc,memory-backend=ram", "-m", "256", "-smp", "1"],
      ...["-nodefaults", "-no-user-config", "-nographic", "-no-reboot"],
      ...["-object", "memory-backend-memfd,id=ram,size=256M,share=on"],
      ...(existsSync(QBOOT) ? ["-bios", QBOOT] : []),
      ...["-kernel", join(repository, "build/guest/vmlinux"), "-initrd", this.#initrd(options.before)],
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

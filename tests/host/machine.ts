import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll } from "vitest";
import { type Ended, statusOf } from "../harness/process.ts";
import { repository, Scratch } from "../harness/programs.ts";

/** A quiet machine boots it in 40 s under software emulation. */
const BOOT_LIMIT_MS = 240_000;
const KERNEL_ARGUMENTS =
  "quiet console=ttyS0 panic=1 reboot=k cryptomgr.notests noreplace-smp tsc=reliable no_timer_check mitigations=off";

/**
 * A host as users have it: Debian with systemd, cgroup v2, shared mounts, docker and podman, and /dev/vhost-vsock, in a VM of software
 * emulation. This repository is there at its own path, with node; what is written to it is gone with the machine.
 */
export class HostMachine implements AsyncDisposable {
  readonly #scratch = new Scratch();
  /** QEMU connects to it: the machine's port is open from the first moment. */
  readonly #server = createServer();
  #qemu: ChildProcess | undefined;
  #port: Socket | undefined;
  #answers: AsyncIterator<string> | undefined;

  /**
   * Builds its image if there is none yet, and boots it until systemd runs commands.
   * @param kernelArguments further ones: "systemd.unified_cgroup_hierarchy=0"
   */
  static async boot(kernelArguments = ""): Promise<HostMachine> {
    const image = execFileSync("node", [join(import.meta.dirname, "build-image.mjs")], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    }).trim();
    const machine = new HostMachine();
    try {
      await machine.#start(image, kernelArguments);
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(image: string, kernelArguments: string): Promise<void> {
    this.#server.listen(this.#scratch.join("port"));
    await once(this.#server, "listening");
    this.#qemu = spawn(
      "setpriv",
      [
        ...["--pdeathsig", "KILL", "qemu-system-x86_64"],
        ...qemuArguments(image, this.#scratch, `${KERNEL_ARGUMENTS} ${kernelArguments}`),
      ],
      {
        stdio: ["ignore", "inherit", "inherit"],
      },
    );
    const [port]: Socket[] = await once(this.#server, "connection");
    if (port === undefined) throw new Error("no connection of QEMU's");
    port.on("error", () => {});
    this.#port = port;
    this.#answers = createInterface({ input: port })[Symbol.asyncIterator]();
    const first = await this.#line("boot", BOOT_LIMIT_MS);
    if (first !== "ready") throw new Error(`the host said ${JSON.stringify(first)} for "ready"`);
  }

  /** Runs a bash script as root to its end. The machine is of no use any more after one that takes too long. */
  async run(script: string, timeoutMs: number): Promise<Ended> {
    this.#port?.write(`${Buffer.from(script).toString("base64")}\n`);
    const answer = await this.#line(script, timeoutMs);
    const [status, stdout = "", stderr = ""] = answer.split(" ");
    const text = (part: string) => Buffer.from(part.slice(1), "base64").toString();
    return { status: Number(status), stdout: text(stdout), stderr: text(stderr) };
  }

  async #line(what: string, timeoutMs: number): Promise<string> {
    const timer = setTimeout(() => this.#qemu?.kill("SIGKILL"), timeoutMs);
    const next = await this.#answers?.next();
    clearTimeout(timer);
    if (next?.done === false) return next.value;
    const console = readFileSync(this.#scratch.join("console"), "utf8").slice(-4000);
    throw new Error(`the host ended, or took more than ${timeoutMs} ms: ${what}\n${console}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#port?.destroy();
    this.#server.close();
    if (this.#qemu !== undefined) {
      this.#qemu.kill("SIGKILL");
      await statusOf(this.#qemu);
    }
    this.#scratch[Symbol.dispose]();
  }
}

function qemuArguments(image: string, scratch: Scratch, kernelArguments: string): string[] {
  const console = scratch.join("console");
  return [
    ...["-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "max,-erms,-fsrm", "-m", "3072", "-smp", "2"],
    ...["-nodefaults", "-no-user-config", "-nographic", "-no-reboot", "-serial", `file:${console}`],
    ...["-kernel", join(repository, "build/guest/vmlinux"), "-initrd", join(image, "initrd")],
    ...["-append", `${kernelArguments} kata.repository=${repository} kata.node=${process.execPath}`],
    ...["-drive", `file=${join(image, "root.ext4")},if=none,id=root,format=raw,snapshot=on,cache=unsafe`],
    ...["-device", "virtio-blk-pci,drive=root"],
    ...["-virtfs", "local,path=/,mount_tag=files,security_model=none,readonly=on,multidevs=remap"],
    ...["-chardev", `socket,id=commands,path=${scratch.join("port")}`, "-device", "virtio-serial-pci"],
    ...["-device", "virtserialport,chardev=commands,name=commands,nr=1"],
    ...["-device", "virtio-rng-pci"],
  ];
}

/** With the first use, Debian's packages are fetched. */
const BUILD_LIMIT_MS = 20 * 60_000;

/** A machine for a suite, see {@link HostMachine.boot}. @returns a function that gives it, once tests run */
export function useHost(kernelArguments = ""): () => HostMachine {
  let host: HostMachine | undefined;
  beforeAll(async () => {
    host = await HostMachine.boot(kernelArguments);
  }, BUILD_LIMIT_MS);
  afterAll(() => host?.[Symbol.asyncDispose]());
  return () => {
    if (host === undefined) throw new Error("the host has not booted");
    return host;
  };
}

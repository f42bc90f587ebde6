import { AgentService, type Init, type Process, type Spec } from "@kata-containers/protocols";
import type { Client } from "@kata-containers/ttrpc";

const A = AgentService;
const CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_MKNOD", "CAP_SETUID", "CAP_SETGID"];
const READ = 256 << 10;

const processOf = (args: readonly string[], terminal: boolean): Init<Process> => ({
  Terminal: terminal,
  User: { UID: 0, GID: 0 },
  Args: args,
  Env: ["PATH=/bin:/sbin", "TERM=xterm"],
  Cwd: "/",
  Capabilities: { Bounding: CAPABILITIES, Effective: CAPABILITIES, Permitted: CAPABILITIES },
});

export interface BindMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

const MOUNTS: readonly BindMount[] = [
  { destination: "/proc", type: "proc", source: "proc", options: [] },
  {
    destination: "/dev",
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
  },
  {
    destination: "/dev/pts",
    type: "devpts",
    source: "devpts",
    options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
  },
  { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
];

function specOf(
  id: string,
  args: readonly string[],
  terminal: boolean,
  mounts: readonly BindMount[],
): Init<Spec> {
  return {
    Version: "1.2.0",
    Process: processOf(args, terminal),
    Root: { Path: `/run/kata-containers/shared/containers/${id}/rootfs` },
    Mounts: [...MOUNTS, ...mounts].map(({ destination, source, type, options }) => ({
      destination,
      source,
      type,
      options,
    })),
    Linux: { CgroupsPath: `/test/${id}`, MaskedPaths: ["/proc/kcore"], ReadonlyPaths: ["/proc/sys"] },
  };
}

/** A container in the guest, driven by the agent's RPCs as a runtime drives it. */
export class GuestContainer {
  readonly id: string;
  readonly #client: Client;

  constructor(client: Client, id: string) {
    this.#client = client;
    this.id = id;
  }

  static async create(
    client: Client,
    id: string,
    args: readonly string[],
    terminal = false,
    mounts: readonly BindMount[] = [],
  ): Promise<GuestContainer> {
    const OCI = specOf(id, args, terminal, mounts);
    await client.unary(A.CreateContainer, { containerId: id, execId: id, OCI });
    return new GuestContainer(client, id);
  }

  /** The same container over another session. */
  with(client: Client): GuestContainer {
    return new GuestContainer(client, this.id);
  }

  async start(): Promise<void> {
    await this.#client.unary(A.StartContainer, { containerId: this.id });
  }

  async exec(execId: string, args: readonly string[], terminal = false): Promise<void> {
    await this.#client.unary(A.ExecProcess, {
      containerId: this.id,
      execId,
      process: processOf(args, terminal),
    });
  }

  async wait(execId = this.id): Promise<number> {
    return (await this.#client.unary(A.WaitProcess, { containerId: this.id, execId })).status;
  }

  async signal(signal: number, execId = this.id): Promise<void> {
    await this.#client.unary(A.SignalProcess, { containerId: this.id, execId, signal });
  }

  async write(text: string, execId = this.id): Promise<void> {
    const data = new TextEncoder().encode(text);
    await this.#client.unary(A.WriteStdin, { containerId: this.id, execId, data });
  }

  async closeStdin(execId = this.id): Promise<void> {
    await this.#client.unary(A.CloseStdin, { containerId: this.id, execId });
  }

  /** All of a stream. */
  async read(stream: "stdout" | "stderr", execId = this.id): Promise<string> {
    let text = "";
    for await (const part of this.chunks(stream, execId)) text += Buffer.from(part).toString("latin1");
    return text;
  }

  /** Standard output up to and with `marker`. */
  async readUntil(marker: string): Promise<void> {
    let text = "";
    for await (const part of this.chunks("stdout")) {
      text += Buffer.from(part).toString("latin1");
      if (text.endsWith(marker)) return;
    }
    throw new Error(`output ended without ${JSON.stringify(marker)}: ${text}`);
  }

  async *chunks(stream: "stdout" | "stderr", execId = this.id): AsyncGenerator<Uint8Array> {
    const method = stream === "stdout" ? A.ReadStdout : A.ReadStderr;
    for (;;) {
      try {
        yield (await this.#client.unary(method, { containerId: this.id, execId, len: READ })).data;
      } catch (error) {
        if (error instanceof Error && error.message === "EOF") return;
        throw error;
      }
    }
  }

  async remove(): Promise<void> {
    await this.#client.unary(A.RemoveContainer, { containerId: this.id });
  }
}

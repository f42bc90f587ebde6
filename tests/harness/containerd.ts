import { existsSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { containerdConfig } from "./containerd-config.ts";
import { type Commands, writeImageArchive } from "./image.ts";
import { controllers, PrivateHost } from "./private-host.ts";
import { type Ended, eventually } from "./process.ts";
import { configurationFile, repository } from "./programs.ts";

const RUNC_V2 = "io.containerd.runc.v2";
/** Runtimes by what ctr calls them: runk is runc's shim with another program. */
export const RUNTIMES = {
  runc: RUNC_V2,
  runk: `${RUNC_V2} --runc-binary ${join(repository, "build/bin/runk")}`,
  kata: "io.containerd.kata.v2",
} as const;
export type Runtime = keyof typeof RUNTIMES;

/** The image of containers. */
export const BOX = "docker.io/library/box:latest";

export interface ContainerdOptions {
  /** A directory of programs that are taken before the machine's: another containerd's, other clients. */
  readonly programs?: string;
  /** The configuration, from the directory that everything is to be in. */
  readonly config?: (directory: string) => string;
  /** Images besides the box. */
  readonly images?: Commands;
  /** containerd's namespace that they are in. */
  readonly namespace?: string;
}

/** containerd on a host of its own, with the image `box`. */
export class Containerd implements AsyncDisposable {
  readonly host: PrivateHost;
  readonly #env: NodeJS.ProcessEnv;
  /** The parents that ctr gives its containers' control groups, which nobody removes; without those that were there before. */
  readonly #parents: readonly string[];

  private constructor(host: PrivateHost, { programs, namespace = "default" }: ContainerdOptions) {
    this.host = host;
    this.#parents = controllers()
      .map((root) => join(root, namespace))
      .filter((parent) => !existsSync(parent));
    const path = [
      ...(programs === undefined ? [] : [programs]),
      join(repository, "build/bin"),
      process.env.PATH,
    ];
    this.#env = {
      PATH: path.join(":"),
      KATA_CONF_FILE: configurationFile,
      CONTAINERD_ADDRESS: join(host.path, "containerd.sock"),
      CONTAINERD_NAMESPACE: namespace,
    };
  }

  static async start(options: ContainerdOptions = {}): Promise<Containerd> {
    const containerd = new Containerd(await PrivateHost.start(), options);
    const { host } = containerd;
    const { config = containerdConfig, images = {} } = options;
    writeFileSync(join(host.path, "config.toml"), config(host.path));
    await containerd.launch();
    const archive = writeImageArchive(host.path, { ...images, [BOX]: ["sh"] });
    const { status, stderr } = await containerd.sh(`ctr image import ${archive} > /dev/null`);
    if (status !== 0) throw new Error(`ctr image import: ${stderr}`);
    return containerd;
  }

  /** Starts the daemon, again when it was stopped. */
  async launch(): Promise<void> {
    const { host } = this;
    await host.launch(`containerd --config ${host.path}/config.toml`, "containerd.log", this.#env);
    await eventually(
      `containerd answers (see ${host.path}/containerd.log)`,
      async () => ((await this.sh("ctr version", 5)).status === 0 ? true : undefined),
      60_000,
    );
  }

  /** Kills the daemon; its shims go on. */
  async kill(): Promise<void> {
    await this.sh("pkill -KILL -x containerd; while pgrep -x containerd > /dev/null; do sleep .05; done");
  }

  /** A shell script with `$run ARGS…` for `ctr run` with a runtime and the cgroups of the host. */
  sh(script: string, seconds = 60, runtime: Runtime = "kata"): Promise<Ended> {
    const run = `ctr run --runtime ${RUNTIMES[runtime]}`;
    return this.host.run(`run="${run}"\nimage=${BOX}\n${script}`, this.#env, seconds);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host[Symbol.asyncDispose]();
    for (const parent of this.#parents) removeIfEmpty(parent);
  }
}

/** What is left in it is told by the leak check. */
function removeIfEmpty(cgroup: string): void {
  try {
    if (existsSync(cgroup)) rmdirSync(cgroup);
  } catch {
    // It has members.
  }
}

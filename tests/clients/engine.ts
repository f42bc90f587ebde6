import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dockerConfig, dockerSocket } from "../harness/docker-config.ts";
import { writeImage } from "../harness/image.ts";
import { PrivateHost } from "../harness/private-host.ts";
import { eventually } from "../harness/process.ts";
import { configurationFile, repository } from "../harness/programs.ts";

export const RUNTIMES = {
  runc: "/usr/sbin/runc",
  runk: join(repository, "build/bin/runk"),
  kata: join(repository, "build/bin/kata-runtime"),
} as const;
export type Runtime = keyof typeof RUNTIMES;

/** Where kata-runtime finds its configuration: dockerd passes its environment on. */
const KATA = { KATA_CONF_FILE: configurationFile };

/** A container engine in a private host, with runc, runk and kata-runtime as its runtimes and the image `box`. */
export interface Engine {
  readonly name: "docker" | "podman";
  readonly host: PrivateHost;
  readonly env: NodeJS.ProcessEnv;
  /** Shell words that run a container, up to the options. */
  readonly run: (runtime: Runtime) => string;
  /** Shell words that remove the containers named after them, running or not, and their volumes. */
  readonly remove: string;
  /** Shell words that print the runtime of the container named after them. */
  readonly runtimeOf: string;
}

/** What one dockerd has otherwise than the others. */
export interface DockerOptions {
  /** Settings of daemon.json. */
  readonly settings?: object;
  /** A shell script for its host, run before it starts. */
  readonly prepare?: (host: PrivateHost) => string;
}

export async function startDocker({ settings, prepare }: DockerOptions = {}): Promise<Engine> {
  const host = await PrivateHost.start();
  const { runk, kata } = RUNTIMES;
  writeFileSync(
    join(host.path, "daemon.json"),
    dockerConfig(host.path, host.cgroup, { runk, kata }, settings),
  );
  const engine: Engine = {
    name: "docker",
    host,
    env: { DOCKER_HOST: dockerSocket(host.path), DOCKER_CONFIG: join(host.path, "client") },
    run: (runtime) => `docker run --runtime ${runtime}`,
    remove: "docker rm -fv",
    runtimeOf: "docker inspect -f '{{.HostConfig.Runtime}}'",
  };
  if (prepare !== undefined) await host.run(prepare(host));
  await launchDockerd(engine);
  await withImage(engine);
  // dockerd keeps the host's network namespace mounted from its first use on.
  await host.run(`${engine.run("runc")} --rm --userns host --network host box true`, engine.env);
  return engine;
}

/** Starts dockerd, again when it was killed. */
export async function launchDockerd({ host, env }: Engine): Promise<void> {
  await host.launch(`dockerd --config-file ${join(host.path, "daemon.json")}`, "dockerd.log", KATA);
  await eventually(
    `dockerd answers (see ${host.path}/dockerd.log)`,
    async () => ((await host.run("docker info", env, 5)).status === 0 ? true : undefined),
    60_000,
  );
}

/** @param backend what makes podman's networks: CNI's plugins, or netavark with its resolver */
export async function startPodman(backend: "cni" | "netavark" = "cni"): Promise<Engine> {
  const host = await PrivateHost.start();
  const file = (name: string) => join(host.path, name);
  mkdirSync(file("net"));
  writeFileSync(
    file("containers.conf"),
    `
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "/run/libpod"
# conmon, which creates containers, has nothing else of podman's environment.
conmon_env_vars = ["PATH=${process.env.PATH}", "KATA_CONF_FILE=${configurationFile}"]
[engine.runtimes]
runc = ["${RUNTIMES.runc}"]
runk = ["${RUNTIMES.runk}"]
kata = ["${RUNTIMES.kata}"]
[network]
network_backend = "${backend}"
network_config_dir = "${file("net")}"
cni_plugin_dirs = ["/usr/lib/cni"]
[containers]
netns = "none"
# What a host without CAP_SYS_RESOURCE can grant.
default_ulimits = ["nofile=1024:4096", "nproc=1024:4096"]
`,
  );
  writeFileSync(
    file("storage.conf"),
    `
[storage]
driver = "overlay"
graphroot = "${file("data")}"
runroot = "/run/containers"
`,
  );
  const env = {
    CONTAINERS_CONF: file("containers.conf"),
    CONTAINERS_STORAGE_CONF: file("storage.conf"),
  };
  const engine: Engine = {
    name: "podman",
    host,
    env,
    run: (runtime) => `podman --runtime ${runtime} run --cgroup-parent /${host.cgroup}`,
    remove: "podman rm -fv -t 0",
    runtimeOf: "podman inspect -f '{{.OCIRuntime}}'",
  };
  return withImage(engine);
}

/** With one container run by runc, after which all that the engine keeps is there. */
async function withImage(engine: Engine): Promise<Engine> {
  const { host, name, env } = engine;
  const tar = writeImage(host.path);
  const { status, stderr } = await host.run(
    `${name} import ${tar} box > /dev/null && ${engine.run("runc")} --rm box true`,
    env,
  );
  if (status !== 0) throw new Error(`${name}: ${stderr}`);
  return engine;
}

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BOX, Containerd } from "../harness/containerd.ts";
import { criConfig, PAUSE } from "../harness/containerd-config.ts";
import type { Ended } from "../harness/process.ts";
import { goPrograms } from "./go-programs.ts";

/** Of the pods. */
const NETWORK = {
  cniVersion: "0.4.0",
  name: "pods",
  plugins: [
    {
      type: "bridge",
      bridge: "pods0",
      isGateway: true,
      ipam: {
        type: "host-local",
        ranges: [[{ subnet: "10.88.77.0/24" }]],
        routes: [{ dst: "0.0.0.0/0" }],
      },
    },
    { type: "portmap", capabilities: { portMappings: true } },
  ],
};
/** The host's address in it. */
export const GATEWAY = "10.88.77.1";

/** How a process of a pod's container has its pid namespace: CRI's NamespaceMode. */
export const PID = { ofThePod: 0, ofTheContainer: 1 } as const;
/** The same of the network. */
export const NETWORK_OF_THE_NODE = 2;

/** It waits for two seconds by itself. */
function crictlConfig(directory: string): string {
  const endpoint = `unix://${directory}/containerd.sock`;
  return `runtime-endpoint: ${endpoint}\nimage-endpoint: ${endpoint}\ntimeout: 90\n`;
}

/** containerd's CRI plugin on a host of its own, with CNI's bridge for pods, driven by crictl. */
export class Pods implements AsyncDisposable {
  readonly containerd: Containerd;
  #files = 0;

  private constructor(containerd: Containerd) {
    this.containerd = containerd;
  }

  /** @param programs a directory of another containerd's than the machine's */
  static async start(programs?: string): Promise<Pods> {
    const path = [...(programs === undefined ? [] : [programs]), goPrograms("crictl")].join(":");
    const config = (directory: string) => {
      mkdirSync(join(directory, "cni"));
      writeFileSync(join(directory, "cni/pods.conflist"), JSON.stringify(NETWORK));
      writeFileSync(join(directory, "crictl.yaml"), crictlConfig(directory));
      return criConfig(directory);
    };
    const images = { [PAUSE]: ["sleep", "1000000"] };
    const containerd = await Containerd.start({ programs: path, config, images, namespace: "k8s.io" });
    const pods = new Pods(containerd);
    await pods.ready();
    return pods;
  }

  /** Resolves once CRI has the images and the network. */
  async ready(): Promise<void> {
    const { stdout } = await this.sh(`
      for try in $(seq 200); do
        if crictl images | grep -q /pause && crictl images | grep -q /box && crictl info | grep -q '"lastCNILoadStatus": "OK"'
        then echo ready; break; fi
        sleep 0.1
      done`);
    if (stdout !== "ready\n") throw new Error(`CRI is not ready: ${(await this.sh("crictl info")).stdout}`);
  }

  /** A shell script with crictl. */
  sh(script: string): Promise<Ended> {
    const config = join(this.containerd.host.path, "crictl.yaml");
    return this.containerd.sh(`export CRI_CONFIG_FILE=${config}\n${script}`, 120);
  }

  /** What such a script prints. @throws when it fails */
  async ok(script: string): Promise<string> {
    const { status, stdout, stderr } = await this.sh(script);
    if (status !== 0) throw new Error(`${script}: ${status}: ${stdout}${stderr}`);
    return stdout.trim();
  }

  /** A new pod's configuration, in a file. */
  pod(name: string, more: object = {}, namespaces: object = { pid: PID.ofTheContainer }): string {
    const { host } = this.containerd;
    const logs = join(host.path, "logs", name);
    mkdirSync(logs, { recursive: true });
    return this.#file({
      metadata: { name, namespace: "default", uid: `uid-${name}`, attempt: 0 },
      hostname: name,
      log_directory: logs,
      linux: { cgroup_parent: `/${host.cgroup}`, security_context: { namespace_options: namespaces } },
      ...more,
    });
  }

  /** That of a container of it, which runs a shell script; its log is `NAME.log`. */
  container(name: string, script: string, { linux = {}, ...more }: { linux?: object } & object = {}): string {
    return this.#file({
      metadata: { name },
      image: { image: BOX },
      command: ["sh", "-c", script],
      log_path: `${name}.log`,
      linux: { security_context: { namespace_options: { pid: PID.ofTheContainer } }, ...linux },
      ...more,
    });
  }

  /** Makes and starts a container of a pod. @returns its id */
  async start(pod: string, podFile: string, containerFile: string): Promise<string> {
    return await this.ok(`
      id=$(crictl create ${pod} ${containerFile} ${podFile}) && crictl start $id > /dev/null && echo $id`);
  }

  #file(content: object): string {
    const path = join(this.containerd.host.path, `cri-${this.#files++}.json`);
    writeFileSync(path, JSON.stringify(content));
    return path;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.containerd[Symbol.asyncDispose]();
  }
}

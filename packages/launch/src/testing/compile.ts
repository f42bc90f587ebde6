import { parseSpec, type Spec } from "@kata-containers/oci";
import { compileContainer } from "../compile-container.ts";
import type { HostFacts } from "../host-facts.ts";
import type { Step } from "../plan.ts";

/** v1 hierarchies, each of these controllers. */
export const v1 = (...names: string[]) =>
  names.map((name) => ({ mountpoint: `/cg/${name}`, controllers: name.split(","), ownPath: "/" }));

/** A host with cgroup v1. */
export const HOST: HostFacts = {
  cgroup: { v1: v1("cpu,cpuacct", "memory", "pids", "devices", "cpuset") },
  rootIsInitramfs: false,
  lastCapability: 40,
  seccomp: {
    machine: "x86_64",
    actions: ["kill_process", "kill_thread", "trap", "errno", "user_notif", "trace", "log", "allow"],
  },
};

/** A host with cgroup v2. */
export const V2: HostFacts = {
  ...HOST,
  cgroup: { v1: [], v2: { mountpoint: "/cg", controllers: ["cpu", "memory", "pids"], ownPath: "/user/x" } },
};

/** A small container, and what a test changes of it. */
export function makeSpec(change: Partial<Spec> = {}, linux: object = {}, process: object = {}): Spec {
  return parseSpec(
    JSON.stringify({
      ociVersion: "1.2.0",
      process: { args: ["sh"], cwd: "/", env: ["PATH=/bin"], ...process },
      root: { path: "rootfs" },
      linux: { namespaces: [{ type: "mount" }, { type: "pid" }], ...linux },
      ...change,
    }),
  );
}

export const compile = (spec: Spec, facts = HOST) =>
  compileContainer(spec, facts, { id: "c1", bundle: "/b", startFd: 5 });
/** The steps of one operation. */
export const find = <Op extends Step["op"]>(steps: readonly Step[], op: Op) =>
  steps.filter((step): step is Extract<Step, { op: Op }> => step.op === op);
/** "path text" of each file that is written. */
export const writes = (steps: readonly Step[]) =>
  find(steps, "write").map(({ path, text }) => `${path} ${text}`);

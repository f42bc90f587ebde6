import { expect, it } from "vitest";
import { CGROUP_VERSIONS, useCgroups } from "../harness/guest-cgroups.ts";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

it("a container that hands its cgroup v2 on, as docker and systemd in one do, can be entered, where its first process is", async () => {
  const [v2] = CGROUP_VERSIONS;
  useCgroups(runtime, v2.kernel_params);
  const mounts = [{ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["rw"] }];
  const id = await runtime.start({ mounts });
  const nest = "mkdir init && echo 1 > init/cgroup.procs && echo 0 > init/cgroup.procs";
  await runtime.ok([
    "exec",
    "--cwd",
    "/sys/fs/cgroup",
    id,
    "sh",
    "-c",
    `${nest} && echo +pids > cgroup.subtree_control`,
  ]);
  expect(await runtime.ok(["exec", id, "cat", "/proc/self/cgroup"])).toMatch(/\/init\n$/);
  await runtime.ok(["delete", "--force", id]);
});

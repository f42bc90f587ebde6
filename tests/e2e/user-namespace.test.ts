import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { BundleOptions } from "../harness/bundle.ts";
import { memberOptions, sandboxOptions } from "../harness/pod.ts";
import { useRuntime } from "../harness/runtime.ts";

/** A container in a user namespace, which has no rights over the sandbox's IPC and the guest's network namespace. */

const runtime = useRuntime();

const MAPPING = [{ containerID: 0, hostID: 100_000, size: 65_536 }];

const inUserNamespace: BundleOptions["edit"] = (config) => {
  config.linux.namespaces.push({ type: "user" });
  Object.assign(config.linux, { uidMappings: MAPPING, gidMappings: MAPPING });
};

/** A container of these options; its root file system belongs to its root, which makes the mount points. */
async function start(options: BundleOptions): Promise<string> {
  const bundle = runtime.bundle({ args: ["sleep", "1000"], ...options });
  execFileSync("chown", ["-R", "100000:100000", join(bundle, "rootfs")]);
  const id = await runtime.createFrom(bundle);
  await runtime.ok(["start", id]);
  return id;
}

it("has the usual mounts, and its root is an ordinary user of the guest's", async () => {
  const id = await start({ edit: inUserNamespace });
  const look =
    "id -u; cat /proc/self/uid_map; ls /sys/class/net; grep -o ' /sys sysfs ro\\| /dev/mqueue mqueue' /proc/mounts";
  const seen = await runtime.ok(["exec", id, "sh", "-c", look]);
  expect(seen).toMatch(/^0\n +0 +100000 +65536\nlo\n \/sys sysfs ro\n \/dev\/mqueue mqueue\n$/);
  expect((await runtime.kata(["exec", id, "sh", "-c", "echo 1 > /proc/sys/kernel/panic"])).status).not.toBe(
    0,
  );
  expect(await runtime.ok(["exec", id, "sh", "-c", "echo x > /root/f && stat -c %u /root/f"])).toBe("0\n");
});

it("has hard limits above the agent's own, which nobody in a user namespace may raise, and so has what is executed", async () => {
  const id = await start({
    edit: (config) => {
      inUserNamespace(config);
      Object.assign(config.process, { rlimits: [{ type: "RLIMIT_NOFILE", soft: 50, hard: 100_000 }] });
    },
  });
  for (const process of ["1", "self"]) {
    const limits = await runtime.ok(["exec", id, "cat", `/proc/${process}/limits`]);
    expect(limits).toMatch(/^Max open files +50 +100000 /m);
  }
});

it("sees the queues and the processes of the pod that it joins", async () => {
  const sandbox = await runtime.start(sandboxOptions({ args: ["sleep", "2000"] }));
  const id = await start(await memberOptions(runtime, sandbox, { sharePid: true, edit: inUserNamespace }));
  await runtime.ok(["exec", sandbox, "touch", "/dev/mqueue/of-the-pod"]);
  const seen = await runtime.ok([
    "exec",
    id,
    "sh",
    "-c",
    "ls /dev/mqueue; ps | grep -o '[s]leep [12]000' | sort",
  ]);
  expect(seen).toBe("of-the-pod\nsleep 1000\nsleep 2000\n");
});

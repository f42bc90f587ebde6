import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { findTraces } from "../harness/leaks.ts";
import { memberOptions, sandboxOptions } from "../harness/pod.ts";
import { writeConfiguration } from "../harness/programs.ts";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();
runtime.configuration = writeConfiguration(runtime.scratch.join("9p.toml"), {
  "hypervisor.qemu": { shared_fs: "virtio-9p", virtio_fs_daemon: "/no/virtiofsd/here" },
});

it("a host without virtiofsd runs containers: files, volumes, owners and modes", async () => {
  const volume = runtime.scratch.join("volume");
  mkdirSync(volume);
  writeFileSync(`${volume}/in`, "from the host\n");
  const mount = (destination: string, ...more: string[]) => ({
    destination,
    type: "bind",
    source: volume,
    options: ["rbind", ...more],
  });
  const id = await runtime.start({ mounts: [mount("/data"), mount("/read", "ro")] });
  expect(findTraces(runtime.traces()).filter((line) => line.includes("virtiofsd"))).toEqual([]);
  const script = [
    "cat /data/in",
    "echo out > /data/out; chown 1000:2000 /data/out; chmod 640 /data/out; stat -c %u:%g:%a /data/out",
    "touch /read/x 2>/dev/null || echo refused",
    "echo root > /tmp/x; cat /tmp/x; grep -c '^kataShared.* 9p ' /proc/mounts",
  ].join("; ");
  expect(await runtime.ok(["exec", id, "sh", "-c", script])).toBe(
    "from the host\n1000:2000:640\nrefused\nroot\n3\n",
  );
  expect(readFileSync(`${volume}/out`, "utf8")).toBe("out\n");
  const qemu = findTraces(runtime.traces()).find((line) => line.includes("qemu-system"));
  const vmm = `/proc/${/^process (\d+)/.exec(qemu ?? "")?.[1]}/root`;
  expect(
    readdirSync(`${vmm}/proc`)
      .filter((name) => !/^\d+$/.test(name))
      .sort(),
  ).toEqual(["self", "thread-self"]);
  await runtime.ok(["delete", "--force", id]);
  expect(findTraces(runtime.traces())).toEqual([]);
});

it("a single file is a volume too, shared and not copied", async () => {
  const file = runtime.scratch.join("key");
  writeFileSync(file, "from the host\n");
  const mount = (destination: string, ...more: string[]) => ({
    ...{ destination, type: "bind", source: file },
    options: ["bind", ...more],
  });
  const id = await runtime.start({ mounts: [mount("/etc/key"), mount("/etc/read", "ro")] });
  const exec = (script: string) => runtime.ok(["exec", id, "sh", "-c", script]);
  expect(await exec("cat /etc/key; echo more >> /etc/key; cat /etc/read")).toBe(
    "from the host\nfrom the host\nmore\n",
  );
  expect(readFileSync(file, "utf8")).toBe("from the host\nmore\n");
  expect(await exec("echo x 2>/dev/null > /etc/read || echo refused")).toBe("refused\n");
});

it("a container joins a pod there as well", async () => {
  const sandbox = await runtime.start(sandboxOptions());
  const member = await runtime.start(await memberOptions(runtime, sandbox));
  expect(await runtime.ok(["exec", member, "echo", "here"])).toBe("here\n");
  await runtime.ok(["delete", "--force", member]);
  expect(await runtime.ok(["exec", sandbox, "echo", "here"])).toBe("here\n");
});

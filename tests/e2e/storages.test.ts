import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import { memberOptions, sandboxOptions } from "../harness/pod.ts";
import { useRuntime } from "../harness/runtime.ts";

const mounted: string[] = [];
afterEach(() => {
  for (const path of mounted.splice(0)) execFileSync("umount", [path]);
});
const runtime = useRuntime();
let volumes = 0;

/** A directory as kubelet makes it for an emptyDir; a tmpfs when it is to be in memory. */
function emptyDir(memory?: string): string {
  const path = runtime.scratch.join(`pods/${volumes++}/volumes/kubernetes.io~empty-dir/cache`);
  mkdirSync(path, { recursive: true });
  if (memory !== undefined) mountTmpfs(path, memory);
  return path;
}

function mountTmpfs(path: string, options: string): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path]);
  mounted.push(path);
}

const bind = (destination: string, source: string, ...more: string[]) => ({
  destination,
  type: "bind",
  source,
  options: ["rbind", "rprivate", ...more],
});
const shell = (id: string, script: string) => runtime.ok(["exec", id, "sh", "-c", script]);

it("the pod's /dev/shm is one for all its containers, of the host's size", async () => {
  const shm = runtime.scratch.join("shm");
  mkdirSync(shm);
  mountTmpfs(shm, "size=8m,mode=1777");
  const edit = (config: { mounts: object[] }) => {
    config.mounts = config.mounts.filter((mount) => !JSON.stringify(mount).includes('"/dev/shm"'));
    config.mounts.push(bind("/dev/shm", shm));
  };
  const sandbox = await runtime.start(sandboxOptions({ edit }));
  const member = await runtime.start(await memberOptions(runtime, sandbox, { edit }));
  await shell(member, "echo hello > /dev/shm/x");
  expect(await shell(sandbox, "cat /dev/shm/x; stat -f -c %b:%S /dev/shm; stat -c %a /dev/shm")).toBe(
    "hello\n2048:4096\n1777\n",
  );
  expect(readdirSync(shm)).toEqual([]);
});

it("an emptyDir in memory is a tmpfs of the guest, with the host's size, owner and mode, as long as the pod", async () => {
  const source = emptyDir("size=4m,mode=2770,gid=2000");
  const sandbox = await runtime.start(sandboxOptions());
  const options = await memberOptions(runtime, sandbox, { mounts: [bind("/cache", source)] });
  const writer = await runtime.start(options);
  expect(
    await shell(
      writer,
      "echo kept > /cache/x; stat -c %a:%u:%g /cache; stat -f -c %T:%b /cache; stat -c %g /cache/x",
    ),
  ).toBe("2770:0:2000\ntmpfs:1024\n2000\n");
  const readOnly = await memberOptions(runtime, sandbox, { mounts: [bind("/other", source, "ro")] });
  const reader = await runtime.start(readOnly);
  expect(await shell(reader, "cat /other/x; touch /other/y 2>/dev/null || echo refused")).toBe(
    "kept\nrefused\n",
  );
  for (const id of [writer, reader]) await runtime.ok(["delete", "--force", id]);
  const again = await runtime.start(options);
  expect(await shell(again, "cat /cache/x")).toBe("kept\n");
  expect(readdirSync(source)).toEqual([]);
});

it("an emptyDir on a disk is the host's directory", async () => {
  const source = emptyDir();
  chmodSync(source, 0o777);
  const sandbox = await runtime.start(sandboxOptions());
  const mounts = [bind("/cache", source)];
  const member = await runtime.start(await memberOptions(runtime, sandbox, { mounts }));
  await shell(member, "echo kept > /cache/x");
  expect(readFileSync(`${source}/x`, "utf8")).toBe("kept\n");
});

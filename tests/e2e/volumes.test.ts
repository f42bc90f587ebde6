import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findTraces } from "../harness/leaks.ts";
import { rootFileSystemCases } from "../harness/root-file-system-cases.ts";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

const bind = (source: string, destination: string, ...options: string[]) => ({
  type: "bind",
  source,
  destination,
  options: ["rbind", ...options],
});

let volumes = 0;

function newVolume(): string {
  const path = runtime.scratch.join(`volume-${volumes++}`);
  mkdirSync(path);
  writeFileSync(`${path}/file`, "from the host\n");
  return path;
}

const runIn = (script: string, mounts: object[]) =>
  runtime.kata(["run", "--bundle", runtime.bundle({ args: ["sh", "-c", script], mounts }), runtime.newId()]);

describe("bind volumes", () => {
  it("are read and written on both sides", async () => {
    const volume = newVolume();
    const ended = await runIn("cat /data/file; echo from the guest > /data/new", [
      bind(volume, "/data", "rw"),
    ]);
    expect(ended).toEqual({ status: 0, stdout: "from the host\n", stderr: "" });
    expect(readFileSync(`${volume}/new`, "utf8")).toBe("from the guest\n");
  });

  it("may be files", async () => {
    const volume = newVolume();
    const ended = await runIn("cat /etc/resolv.conf; echo more >> /etc/resolv.conf", [
      bind(`${volume}/file`, "/etc/resolv.conf"),
    ]);
    expect(ended).toEqual({ status: 0, stdout: "from the host\n", stderr: "" });
    expect(readFileSync(`${volume}/file`, "utf8")).toBe("from the host\nmore\n");
  });

  it("are read-only when asked, for the guest", async () => {
    const volume = newVolume();
    const ended = await runIn("cat /data/file; echo x > /data/new", [bind(volume, "/data", "ro")]);
    expect(ended.stdout).toBe("from the host\n");
    expect(ended.stderr).toMatch(/Read-only file system/);
    expect(existsSync(`${volume}/new`)).toBe(false);
  });

  it("are read-only on the host's side of the share, so that no guest can write them", async () => {
    const volume = newVolume();
    const id = await runtime.start({ mounts: [bind(volume, "/data", "ro")] });
    const line = findTraces({ root: runtime.root, ids: [id] }).find((each) => each.includes("virtiofsd"));
    const pid = Number(/^process (\d+)/.exec(line ?? "")?.[1]);
    expect(pid).toBeGreaterThan(0);
    const mounts = readFileSync(`/proc/${pid}/mountinfo`, "utf8").split("\n");
    const shared = mounts.filter((each) => each.includes(volume.slice(1)));
    expect(shared.length).toBeGreaterThan(0);
    for (const each of shared) expect(each.split(" ")[5]).toMatch(/^ro(,|$)/);
  });

  it("do not follow a symbolic link of the container's out of its root", async () => {
    const volume = newVolume();
    const bundle = runtime.bundle({ args: ["cat", "/run/x/file"], mounts: [bind(volume, "/link/x")] });
    symlinkSync("/run", `${bundle}/rootfs/link`);
    const ended = await runtime.kata(["run", "--bundle", bundle, runtime.newId()]);
    expect(ended).toMatchObject({ status: 0, stdout: "from the host\n" });
    expect(existsSync("/run/x")).toBe(false);
  });
});

describe("the root file system", () => rootFileSystemCases(runtime));

describe("a tmpfs of the guest", () => {
  const tmpfs = (...options: string[]) => [{ type: "tmpfs", source: "tmpfs", destination: "/etc", options }];

  it("begins with what the image has there, when asked to, and has its mode", async () => {
    const ended = await runIn("head -c 4 /etc/passwd; stat -c %a:%u /etc; echo x > /etc/new; ls /etc/new", [
      ...tmpfs("tmpcopyup", "nosuid"),
    ]);
    expect(ended).toEqual({ status: 0, stdout: "root755:0\n/etc/new\n", stderr: "" });
  });
});

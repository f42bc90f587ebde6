import { lstatSync } from "node:fs";
import { expect, it } from "vitest";
import { run } from "./process.ts";
import type { Runtime } from "./runtime.ts";

/** What a container makes in its root file system, which is a directory of the host: for suites of machines of one kind or another. */
export function rootFileSystemCases(runtime: Runtime): void {
  it("holds FIFOs, sockets and device nodes that the container makes, and shows them on the host", async () => {
    const script = [
      "mkfifo /fifo && (echo through > /fifo & cat /fifo)",
      "mknod /null c 1 3",
      // syslogd binds /dev/log: on the share here, for this container's /dev is no tmpfs.
      "syslogd -O /messages; i=0; while [ ! -S /dev/log ] && [ $i -lt 50 ]; do sleep 0.1; i=$((i+1)); done",
      "logger over the socket; i=0; while ! grep -q socket /messages && [ $i -lt 50 ]; do sleep 0.1; i=$((i+1)); done",
      "grep -c 'over the socket' /messages",
      "ls -l /fifo /null /dev/log | cut -c1 | sort | tr -d '\\n'",
    ].join("\n");
    const bundle = runtime.bundle({
      args: ["sh", "-c", script],
      edit: (config) => {
        config.mounts = config.mounts.filter(
          (mount) => !/^\/dev/.test(String(Reflect.get(mount, "destination"))),
        );
      },
    });
    const ended = await runtime.kata(["run", "--bundle", bundle, runtime.newId()]);
    expect(ended).toEqual({ status: 0, stdout: "through\n1\ncps", stderr: "" });
    expect(lstatSync(`${bundle}/rootfs/fifo`).isFIFO()).toBe(true);
    expect(lstatSync(`${bundle}/rootfs/null`).isCharacterDevice()).toBe(true);
    expect(lstatSync(`${bundle}/rootfs/dev/log`).isSocket()).toBe(true);
  });

  it("keeps owners, modes and links", async () => {
    const bundle = runtime.bundle({
      args: ["sh", "-c", "echo x > /f && chown 1000:1001 /f && chmod 4750 /f && ln -s f /l && ln /f /h"],
    });
    expect((await runtime.kata(["run", "--bundle", bundle, runtime.newId()])).status).toBe(0);
    const { uid, gid, mode, nlink } = lstatSync(`${bundle}/rootfs/f`);
    expect({ uid, gid, mode: mode & 0o7777, nlink }).toEqual({
      uid: 1000,
      gid: 1001,
      mode: 0o4750,
      nlink: 2,
    });
    expect((await run("readlink", [`${bundle}/rootfs/l`])).stdout).toBe("f\n");
  });
}

import { chmodSync, chownSync, mkdirSync, rmdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { Bundle, type Change, script } from "./bundle.ts";

/** Mount options that only the newest specification has, or that a container manager asks for every day. */

let bundle: Bundle | undefined;
afterEach(async () => {
  await bundle?.close();
  bundle = undefined;
});

function made(text: string, change: Change): Bundle {
  bundle = new Bundle((spec) => {
    script(text)(spec);
    spec.root.readonly = false;
    change(spec);
  });
  return bundle;
}

function output(container: Bundle): string {
  const { status, stdout, stderr } = container.run();
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return stdout;
}

describe("tmpfs", () => {
  const tmpfs =
    (destination: string, ...options: string[]): Change =>
    (spec) => {
      spec.mounts.push({
        destination,
        type: "tmpfs",
        source: "tmpfs",
        options: ["nosuid", "nodev", ...options],
      });
    };

  /** A directory of the image, with a file, a directory, a link and odd owners and modes. */
  function fill(container: Bundle): void {
    const directory = join(container.rootfs, "data");
    mkdirSync(join(directory, "inner"), { recursive: true });
    chmodSync(directory, 0o750);
    writeFileSync(join(directory, "file"), "text");
    chownSync(join(directory, "file"), 7, 8);
    chmodSync(join(directory, "file"), 0o4755);
    chownSync(join(directory, "inner"), 9, 9);
    writeFileSync(join(directory, "inner/big"), "x".repeat(3_000_000));
    symlinkSync("/no/such", join(directory, "link"));
  }

  const LIST =
    "cd /data; stat -c '%n %a %u:%g %s %F' . file inner link inner/big | grep -v '^\\. .*' ; cat file; readlink link";

  test("with tmpcopyup it begins with what the image has there, as with runc", () => {
    const container = made(`${LIST}; mount | grep /data; rm file`, tmpfs("/data", "tmpcopyup"));
    fill(container);
    const [runk, runc] = [container.run(), container.runc()];
    expect(runk).toEqual(runc);
    expect(runk.stdout).toContain("file 4755 7:8 4 regular file");
    expect(statSync(join(container.rootfs, "data/file")).size).toBe(4);
  });

  test("with tmpcopyup and ro it is filled first", () => {
    const container = made("cat /data/file; touch /data/new", tmpfs("/data", "tmpcopyup", "ro"));
    fill(container);
    const { stdout, stderr } = container.run();
    expect(stdout).toBe("text");
    expect(stderr).toContain("Read-only file system");
  });

  test("it is filled where it was mounted, though its path leads elsewhere from then on", () => {
    const container = made("cat /data/file", tmpfs("/way", "tmpcopyup"));
    fill(container);
    // Through what the mount covers: the same as a link that somebody changes meanwhile.
    symlinkSync("data/inner/..", join(container.rootfs, "way"));
    expect(output(container)).toBe("text");
  });

  test("it has the mode of the directory that it covers, unless it is told one, as with runc", () => {
    const container = made("stat -c '%n %a' /data /made /told /copied", (spec) => {
      tmpfs("/data")(spec);
      tmpfs("/made")(spec);
      tmpfs("/told", "mode=700")(spec);
      tmpfs("/copied", "mode=1770", "tmpcopyup")(spec);
    });
    fill(container);
    const stdout = output(container);
    expect(stdout).toBe("/data 750\n/made 1777\n/told 700\n/copied 1770\n");
    for (const name of ["made", "told", "copied"]) rmdirSync(join(container.rootfs, name));
    expect(container.runc().stdout).toBe(stdout);
  });
});

test("recursive options of a new file system are its own", () => {
  const container = made("touch /mine/file; mount | grep -c '/mine.*noexec'", (spec) => {
    spec.mounts.push({ destination: "/mine", type: "tmpfs", source: "tmpfs", options: ["rro", "rnoexec"] });
  });
  const { stdout, stderr } = container.run();
  expect(stderr).toContain("Read-only file system");
  expect(stdout).toBe("1\n");
});

describe("an id-mapped mount", () => {
  const mapped =
    (...options: string[]): Change =>
    (spec) => {
      spec.mounts.push({
        destination: "/data",
        type: "bind",
        source: "volume",
        options: ["rbind", ...options],
        uidMappings: [{ containerID: 0, hostID: 5000, size: 10 }],
        gidMappings: [{ containerID: 0, hostID: 6000, size: 10 }],
      });
    };

  test("shows the owners of its files by its own mappings, and takes new files by them", () => {
    const container = made("stat -c '%u:%g' /data/file; touch /data/new", (spec) => {
      mapped("idmap")(spec);
      spec.process.user = { uid: 5003, gid: 6003 };
    });
    mkdirSync(join(container.path, "volume"));
    chmodSync(join(container.path, "volume"), 0o777);
    writeFileSync(join(container.path, "volume/file"), "");
    expect(output(container)).toBe("5000:6000\n");
    const { uid, gid } = statSync(join(container.path, "volume/new"));
    expect([uid, gid]).toEqual([3, 3]);
  });

  test("without mappings it has those of the container's user namespace", () => {
    const mapping = [{ containerID: 0, hostID: 200_000, size: 65_536 }];
    const container = made("stat -c '%u:%g' /data/file; touch /data/new", (spec) => {
      (spec.linux.namespaces as object[]).push({ type: "user" });
      spec.linux.uidMappings = mapping;
      spec.linux.gidMappings = mapping;
      spec.mounts.push({ destination: "/data", type: "bind", source: "volume", options: ["bind", "idmap"] });
    });
    mkdirSync(join(container.path, "volume"));
    writeFileSync(join(container.path, "volume/file"), "");
    chownSync(container.rootfs, 200_000, 200_000);
    expect(output(container)).toBe("0:0\n");
    expect(statSync(join(container.path, "volume/new")).uid).toBe(0);
  });

  test("that nobody has mappings for is refused", () => {
    const container = made("true", (spec) => {
      spec.mounts.push({ destination: "/data", type: "bind", source: "volume", options: ["bind", "idmap"] });
    });
    expect(container.run().stderr).toContain("an id-mapped mount needs mappings");
  });
});

import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { Bundle, script } from "./bundle.ts";

let bundle: Bundle;
afterEach(() => bundle.close());

/** A volume whose source is a read-only mount with another below it; what the container's mountinfo says of both. */
function flagsWith(...options: string[]): string[] {
  bundle = new Bundle((spec) => {
    script("sed -n 's/^.* \\(\\/vol[^ ]*\\) \\([^ ]*\\) .*/\\1 \\2/p' /proc/self/mountinfo")(spec);
    spec.root.readonly = false;
    spec.mounts.push({ destination: "/vol", type: "bind", source: "source", options });
  });
  const source = join(bundle.path, "source");
  mkdirSync(source);
  const prepare = [
    `mount -t tmpfs -o ro,noexec,nosuid none ${source}`,
    `mount -o remount,rw ${source}`,
    `mkdir ${source}/below`,
    `mount -t tmpfs -o ro none ${source}/below`,
    `mount -o remount,bind,ro,noexec,nosuid ${source}`,
  ];
  const command = bundle.command("run", "--bundle", bundle.path, bundle.id());
  const wrapped = [
    "--mount",
    "--propagation",
    "private",
    "sh",
    "-ec",
    `${prepare.join(";")}; exec "$@"`,
    "sh",
  ];
  const { stdout, stderr } = spawnSync("unshare", [...wrapped, ...command], {
    encoding: "utf8",
    timeout: 20_000,
  });
  expect(stderr).toBe("");
  return stdout.trimEnd().split("\n");
}

test("a bind keeps its source's flags", () => {
  expect(flagsWith("rbind")).toEqual(["/vol ro,nosuid,noexec,relatime", "/vol/below ro,relatime"]);
});

test("rw, suid and exec take them away, of the bind alone", () => {
  expect(flagsWith("rbind", "rw", "suid", "exec")).toEqual(["/vol rw,relatime", "/vol/below ro,relatime"]);
});

test("rrw and rnoatime are of all mounts below it", () => {
  expect(flagsWith("rbind", "rrw", "rnoatime")).toEqual([
    "/vol rw,nosuid,noexec,noatime",
    "/vol/below rw,noatime",
  ]);
});

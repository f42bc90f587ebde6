import { readFileSync, readlinkSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { Bundle, script } from "./bundle.ts";

/** A container without a mount namespace of its own: its mounts are the host's, below its root, and go with it. */

let bundle: Bundle | undefined;
afterEach(async () => {
  await bundle?.close();
  bundle = undefined;
});

const hostMounts = (of: Bundle) =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(of.path));

function sharing(text: string): Bundle {
  bundle = new Bundle((spec) => {
    script(text)(spec);
    spec.linux.namespaces = [{ type: "pid" }];
    delete spec.hostname;
  });
  return bundle;
}

test("it runs in the host's namespaces, sees its own root alone, and leaves no mount", () => {
  const made = sharing(
    "readlink /proc/self/ns/mnt; readlink /proc/self/ns/uts; pwd; ls / | head -1; touch /x",
  );
  const { status, stdout, stderr } = made.run();
  expect(stdout).toBe(
    `${["mnt", "uts"].map((name) => readlinkSync(`/proc/self/ns/${name}`)).join("\n")}\n/\nbin\n`,
  );
  expect(stderr).toContain("Read-only file system");
  expect(status).toBe(1);
  expect(hostMounts(made)).toEqual([]);
});

test("exec enters its root; delete takes every mount away", () => {
  const made = sharing("sleep 60");
  const id = made.id();
  expect(made.runk("run", "--detach", id).status).toBe(0);
  expect(hostMounts(made).length).toBeGreaterThan(5);
  expect(made.runk("exec", id, "cat", "/etc/passwd").stdout).toContain("user:x:1000");
  expect(made.runk("delete", "--force", id).status).toBe(0);
  expect(hostMounts(made)).toEqual([]);
});

test("a create that fails leaves none", () => {
  const made = sharing("true");
  made.configure((spec) => {
    spec.process.args = ["/no/such/program"];
    spec.linux.namespaces = [];
    delete spec.hostname;
  });
  expect(made.run().status).not.toBe(0);
  expect(hostMounts(made)).toEqual([]);
});

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { Bundle, script } from "./bundle.ts";

let bundle: Bundle;
afterEach(() => bundle.close());

test("a user starts in a directory that only root may enter, also when executed later (as runc)", () => {
  bundle = new Bundle((spec) => {
    script("pwd; ls .")(spec);
    spec.process.user = { uid: 1000, gid: 1000 };
    spec.process.cwd = "/private";
  });
  mkdirSync(join(bundle.rootfs, "private"), { mode: 0o700 });
  const run = bundle.run();
  expect(run).toMatchObject({ stdout: "/private\n", stderr: expect.stringContaining("Permission denied") });
  expect(bundle.runc().stdout).toBe(run.stdout);
  bundle.configure(script("exec sleep 60"));
  const id = bundle.id();
  expect(bundle.runk("run", "-d", id).status).toBe(0);
  const exec = bundle.runk("exec", "--user", "1000", "--cwd", "/private", id, "pwd");
  expect(exec).toMatchObject({ status: 0, stdout: "/private\n" });
});

import { expect, it } from "vitest";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

const READ_MEM =
  "mknod /dev/m c 1 1 && head -c 1 /dev/m; head -c 2 /dev/zero | wc -c; echo x > /dev/null && echo written";

it("a container makes and opens no device but its own, nor does what is executed in it", async () => {
  const id = await runtime.start({ args: ["sh", "-c", `(${READ_MEM}) > /tmp/seen 2>&1; exec sleep 1000`] });
  const { stdout } = await runtime.kata([
    "exec",
    id,
    "sh",
    "-c",
    `until grep -q written /tmp/seen; do sleep 0.1; done; cat /tmp/seen; rm /dev/m; (${READ_MEM}) 2>&1`,
  ]);
  const seen = "head: /dev/m: Operation not permitted\n2\nwritten\n";
  expect(stdout).toBe(seen + seen);
});

it("a container that may use every device may use the guest's", async () => {
  const bundle = runtime.bundle({
    args: ["sh", "-c", "mknod /dev/k c 1 11 && echo opened > /dev/k && echo opened"],
    edit: (config) => {
      Object.assign(config.linux, { resources: { devices: [{ allow: true, access: "rwm" }] } });
    },
  });
  const { stdout, stderr } = await runtime.kata(["run", "--bundle", bundle, runtime.newId()]);
  expect([stdout, stderr]).toEqual(["opened\n", ""]);
});

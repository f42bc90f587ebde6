import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { statusOf } from "../harness/process.ts";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

it("run --detach returns while the container runs, with its kata-shim's pid in the pid file", async () => {
  const id = runtime.newId();
  const pidFile = runtime.scratch.join("pid");
  const bundle = runtime.bundle({ args: ["sleep", "1000"] });
  const child = runtime.spawn(["run", "--detach", "--pid-file", pidFile, "--bundle", bundle, id], {
    stdio: "ignore",
  });
  expect(await statusOf(child)).toBe(0);
  const { status, pid } = await runtime.state(id);
  expect(status).toBe("running");
  expect(readFileSync(pidFile, "utf8")).toBe(String(pid));
  expect(readFileSync(`/proc/${pid}/comm`, "utf8")).toBe("kata-shim\n");
});

it("exec --detach returns at once, and its kata-shim ends with the process", async () => {
  const id = await runtime.start();
  const pidFile = runtime.scratch.join("exec-pid");
  const marker = "while [ ! -e /tmp/end ]; do sleep 0.05; done";
  const child = runtime.spawn(["exec", "--detach", "--pid-file", pidFile, id, "sh", "-c", marker], {
    stdio: "ignore",
  });
  expect(await statusOf(child)).toBe(0);
  const pid = readFileSync(pidFile, "utf8");
  expect(readFileSync(`/proc/${pid}/comm`, "utf8")).toBe("kata-shim\n");
  await runtime.ok(["exec", id, "touch", "/tmp/end"]);
  // Its parent is the init of this machine or a subreaper, which may take its time: an ended process shows no program.
  await expect
    .poll(() => !existsSync(`/proc/${pid}`) || readFileSync(`/proc/${pid}/cmdline`, "utf8") === "")
    .toBe(true);
  expect((await runtime.state(id)).status).toBe("running");
});

it("create closes what the caller waits on: nobody but the container keeps its pipes", async () => {
  const id = runtime.newId();
  const bundle = runtime.bundle({ args: ["sh", "-c", "echo out"] });
  const child = runtime.spawn(["create", "--bundle", bundle, id], { stdio: ["ignore", "pipe", "ignore"] });
  let out = "";
  child.stdout?.on("data", (chunk) => {
    out += chunk;
  });
  const closed = new Promise((resolve) => child.on("close", resolve));
  await new Promise((resolve) => child.on("exit", resolve));
  await runtime.ok(["start", id]);
  await closed;
  expect(out).toBe("out\n");
});

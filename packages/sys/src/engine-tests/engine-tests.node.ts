// The tests of the native ops on Node.js: `node build/test/engine-tests.node.mjs [part of a test's name]`, as root, after
// `node scripts/bundle.mjs --test` and `make build-node`.
import { CLONE, loadNodeAddon, ops, runMain } from "../index.ts";
import { equal, fails, host, ok, runAll, test } from "./harness.ts";

declare const process: { readonly argv: readonly string[] };
const build = (process.argv[1] ?? "").replace(/test\/[^/]*$/, "");
loadNodeAddon(`${build}node/kata-sys.node`);
host.own = false;
host.program = `${build}test/engine-tests`;

test("what concerns the whole process is refused in a host program", async () => {
  for (const call of [
    () => ops.unshare(CLONE.NEWNS),
    () => ops.setns(0, 0),
    () => ops.chroot("/"),
    () => ops.chdir("/"),
    () => ops.pivotRoot(".", "."),
    () => ops.setsid(),
    () => ops.reapAny(),
    () => ops.signalOpen([10]),
    () => ops.execve("/bin/true", ["true"], []),
  ]) {
    await fails(call, "ENOTSUP");
  }
});

async function rejectsInside(): Promise<void> {
  await ops.unixConnect("/nonexistent/socket");
}

test("stacks name the callers of sync and async ops", async () => {
  const sync = await fails(() => ops.open("/nonexistent", 0, 0), "ENOENT", "open", "/nonexistent");
  ok(sync.stack?.startsWith("SysError: open /nonexistent: ENOENT: ") ?? false, `stack ${sync.stack}`);
  const later = await fails(rejectsInside, "ENOENT", "connect", "/nonexistent/socket");
  ok(later.stack?.includes("rejectsInside") ?? false, `stack ${later.stack}`);
});

test("arguments that no op takes are TypeErrors", () => {
  const cycle: unknown[] = [];
  cycle.push(cycle);
  for (const wrong of [() => 0, cycle, new Float64Array(1)]) {
    let thrown: unknown;
    try {
      Reflect.apply(ops.sha256, ops, [wrong]);
    } catch (error) {
      thrown = error;
    }
    ok(thrown instanceof TypeError, `${String(thrown)} is a TypeError`);
  }
});

test("Node's own promises and ours make progress together", async () => {
  const [read = -1, write = -1] = ops.pipe();
  const reading = ops.read(read, 10);
  await new Promise<void>((resolve) => setTimeout(resolve, 1));
  await ops.write(write, ops.utf8Encode("x"));
  equal([...(await reading)], [120]);
  ops.close(read);
  ops.close(write);
});

for (const domain of [
  "engine",
  "fs",
  "block",
  "stream",
  "socket",
  "process",
  "spawn",
  "mount",
  "netlink",
  "inet",
  "bpf",
  "terminal",
]) {
  await import(`./${domain}.ts`);
}
await import("./kvm.ts");
await import("./table.ts");
runMain(runAll);

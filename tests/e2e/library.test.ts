import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { expectNoLeaks, findTraces, type Traces } from "../harness/leaks.ts";
import { NodeProgram } from "../harness/node-program.ts";
import { repository } from "../harness/programs.ts";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();
const rootfs = join(runtime.bundle(), "rootfs");
const programs: NodeProgram[] = [];
let directories = 0;

afterEach(() => {
  for (const { child } of programs.splice(0)) child.kill("SIGKILL");
});

function start(text: string, ...args: string[]): NodeProgram {
  const directory = runtime.scratch.join(`program-${directories++}`);
  mkdirSync(directory);
  const program = new NodeProgram(directory, text, args);
  programs.push(program);
  return program;
}

async function ends(program: NodeProgram): Promise<string> {
  const status = await program.ended;
  expect({ status, stderr: program.stderr }).toEqual({ status: 0, stderr: "" });
  return program.stdout;
}

/** The first program of docs/library.md. */
function documented(): string {
  const page = readFileSync(join(repository, "docs/library.md"), "utf8");
  return /```js\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
}

const expected = /^the guest's kernel: \d+\.\d+\S*\nexit status: 0\nTHROUGH THE SANDBOX\nstatus: stopped\n$/;

it("the documentation's program has 20 lines", () => {
  expect(documented().trimEnd().split("\n").length).toBe(20);
});

it("the documentation's program runs, its record in memory", async () => {
  const program = start(documented(), rootfs);
  const traces = await program.tracesInMemory();
  expect(await ends(program)).toMatch(expected);
  await expectNoLeaks(traces);
});

it("the documentation's program runs, its record on disk", async () => {
  expect(await ends(start(documented(), rootfs, runtime.root))).toMatch(expected);
  // useRuntime looks whether anything is left below its root.
});

/** A program that holds a running sandbox. */
const holder = `
  import { createSandbox } from "@kata-containers/node";
  const [rootfs, store, id] = process.argv.slice(2);
  const sandbox = await createSandbox({ rootfs, store, id, args: ["sleep", "1000"] });
  await sandbox.start();
  console.log("running");
`;

async function holdInMemory(): Promise<{ program: NodeProgram; traces: Traces & { daemon: number } }> {
  const program = start(holder, rootfs, "memory", runtime.newId());
  const traces = await program.tracesInMemory();
  await program.says("running");
  return { program, traces };
}

it("a sandbox in memory ends with its program, kill -9 included", async () => {
  const { program, traces } = await holdInMemory();
  program.child.kill("SIGKILL");
  await program.ended;
  await expectNoLeaks(traces);
});

it("a sandbox on disk outlives its program, and another one finds it", async () => {
  const id = runtime.newId();
  const program = start(holder, rootfs, runtime.root, id);
  await program.says("running");
  program.child.kill("SIGKILL");
  await program.ended;
  expect(await runtime.state(id)).toMatchObject({ status: "running" });
  const finder = `
    import { openSandbox } from "@kata-containers/node";
    const [id, store] = process.argv.slice(2);
    const sandbox = await openSandbox(id, { store });
    const hello = await sandbox.exec(["echo", "hello"], { stdout: "pipe" });
    console.log(await sandbox.status(), await hello.stdout.text());
    await sandbox.delete();
  `;
  expect(await ends(start(finder, id, runtime.root))).toBe("running hello\n\n");
});

it("a sandbox whose daemon was killed is deleted all the same", async () => {
  const text = `${holder}
    console.log("exit", await sandbox.wait().catch((error) => error.code));
    console.log(await sandbox.status());
    await sandbox.delete();
  `;
  const program = start(text, rootfs, "memory", runtime.newId());
  const traces = await program.tracesInMemory();
  await program.says("running");
  process.kill(traces.daemon, "SIGKILL");
  expect(await ends(program)).toBe("running\nexit Unavailable\nstopped\n");
  await expectNoLeaks(traces);
});

it("what is left when program and daemon were killed goes with the next sandbox in memory", async () => {
  const { program, traces } = await holdInMemory();
  // It shall not see its program's end.
  process.kill(traces.daemon, "SIGSTOP");
  program.child.kill("SIGKILL");
  await program.ended;
  process.kill(traces.daemon, "SIGKILL");
  await expect.poll(() => findTraces(traces).filter((line) => line.startsWith("process"))).toEqual([]);
  expect(findTraces(traces)).not.toEqual([]);
  expect(await ends(start(documented(), rootfs))).toMatch(expected);
  await expectNoLeaks(traces);
});

it("a second container joins the machine, and each has its own streams and status", async () => {
  const text = `
    import { createSandbox } from "@kata-containers/node";
    const [rootfs] = process.argv.slice(2);
    const sandbox = await createSandbox({ rootfs, args: ["sleep", "1000"], hostname: "box" });
    try {
      await sandbox.start();
      const args = ["sh", "-c", "echo out; echo err >&2; exit 7"];
      const second = await sandbox.createContainer({ rootfs, args, stdout: "pipe", stderr: "pipe" });
      await second.start();
      console.log(await second.stdout.text() + await second.stderr.text() + await second.wait());
      await second.delete();
      console.log(await sandbox.status());
    } finally {
      await sandbox.close();
    }
  `;
  const program = start(text, rootfs);
  const traces = await program.tracesInMemory();
  expect(await ends(program)).toBe("out\nerr\n7\nrunning\n");
  await expectNoLeaks(traces);
});

it("what cannot be done is a KataError, and nothing is left", async () => {
  const text = `
    import { createSandbox, KataError, openSandbox } from "@kata-containers/node";
    const [rootfs, store, hooked, annotated] = process.argv.slice(2);
    const fails = async (call) => {
      const error = await call().catch((caught) => caught);
      console.log(error instanceof KataError ? error.code : error, error.message);
    };
    await fails(() => createSandbox({}));
    await fails(() => createSandbox({ rootfs }));
    await fails(() => createSandbox({ rootfs: "/nonexistent", args: ["true"] }));
    await fails(() => createSandbox({ bundle: hooked, cwd: "/" }));
    await fails(() => createSandbox({ bundle: hooked, store }));
    await fails(() => createSandbox({ rootfs, store, args: ["true"], config: "/nonexistent" }));
    await fails(() => createSandbox({ bundle: annotated, store }));
    await fails(() => openSandbox("nobody", { store }));
  `;
  const hooked = runtime.bundle({ terminal: true });
  const vcpus = "io.katacontainers.config.hypervisor.default_vcpus";
  const annotated = runtime.bundle({ annotations: { [vcpus]: "1" } });
  const lines = (await ends(start(text, rootfs, runtime.root, hooked, annotated))).trimEnd().split("\n");
  expect(lines).toEqual([
    "InvalidArgument bundle or rootfs: one of them is needed",
    "InvalidArgument args: a command is needed with rootfs",
    "NotFound rootfs /nonexistent: no such file or directory",
    "InvalidArgument cwd: a bundle has its own (give either)",
    expect.stringMatching(/^Unimplemented .*process\.terminal/),
    expect.stringMatching(/^NotFound cannot read the configuration/),
    expect.stringContaining(`PermissionDenied annotation ${vcpus} = "1" is not enabled`),
    'NotFound container "nobody" does not exist',
  ]);
});

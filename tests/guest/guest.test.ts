import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AgentService, Health } from "@kata-containers/protocols";
import type { Client } from "@kata-containers/ttrpc";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeBundle } from "../harness/bundle.ts";
import { Guest } from "./guest.ts";
import { GuestContainer } from "./guest-container.ts";

const A = AgentService;
let guest: Guest;
let client: Client;

beforeAll(async () => {
  guest = new Guest();
  client = await guest.connect();
  await client.unary(A.CreateSandbox, {
    hostname: "box",
    sandboxId: "sandbox",
    dns: ["nameserver 192.0.2.1"],
    storages: [
      {
        driver: "virtio-fs",
        source: "kataShared",
        fstype: "virtiofs",
        mountPoint: "/run/kata-containers/shared/containers/",
      },
    ],
  });
});
afterAll(() => guest[Symbol.asyncDispose]());

/** A container of the test's own, with a busybox root. */
async function container(id: string, args: readonly string[], terminal = false): Promise<GuestContainer> {
  makeBundle(join(guest.shared, id));
  return GuestContainer.create(client, id, args, terminal);
}

test("the agent answers Check, Version and GetGuestDetails", async () => {
  expect(await client.unary(Health.Check, {})).toEqual({ status: 1 });
  expect((await client.unary(Health.Version, {})).agentVersion).toMatch(/^\d/);
  const { agentDetails } = await client.unary(A.GetGuestDetails, { memBlockSize: true });
  expect(agentDetails?.initDaemon).toBe(true);
  expect(agentDetails?.storageHandlers).toContain("virtio-fs");
});

test("a method the agent does not have is Unimplemented, a second sandbox AlreadyExists, and it goes on answering", async () => {
  await expect(client.unary(A.StartTracing, {})).rejects.toMatchObject({ code: "Unimplemented" });
  await expect(client.unary(A.CreateSandbox, {})).rejects.toMatchObject({ code: "AlreadyExists" });
  await expect(client.unary(A.StartContainer, { containerId: "nobody" })).rejects.toMatchObject({
    code: "NotFound",
  });
  await expect(client.unary(A.CreateContainer, { containerId: "../x" })).rejects.toMatchObject({
    code: "InvalidArgument",
  });
  expect(await client.unary(Health.Check, {})).toEqual({ status: 1 });
});

test("a container's output and status come back, its hostname is the sandbox's, its pid namespace its own", async () => {
  const box = await container("out", [
    "sh",
    "-c",
    "hostname; echo $$; cat /proc/1/comm; echo err >&2; exit 42",
  ]);
  await box.start();
  expect(await box.read("stdout")).toBe("box\n1\nsh\n");
  expect(await box.read("stderr")).toBe("err\n");
  expect(await box.wait()).toBe(42);
  await box.remove();
});

test("standard input is echoed, and its end is passed on", async () => {
  const box = await container("in", ["cat"]);
  await box.start();
  await box.write("hello ");
  await box.write("world");
  await box.closeStdin();
  expect(await box.read("stdout")).toBe("hello world");
  expect(await box.wait()).toBe(0);
  await box.remove();
});

test("processes are executed in a running container, several at a time, each with its own status", async () => {
  const box = await container("exec", ["sleep", "100"]);
  await box.start();
  const runs = [0, 1, 2, 3].map(async (n) => {
    await box.exec(`e${n}`, ["sh", "-c", `echo ${n}; exit ${n}`]);
    expect(await box.read("stdout", `e${n}`)).toBe(`${n}\n`);
    expect(await box.wait(`e${n}`)).toBe(n);
  });
  await Promise.all(runs);
  await expect(box.exec("none", ["no-such-program"])).rejects.toThrow("executable file not found in $PATH");
  await box.signal(9);
  expect(await box.wait()).toBe(137);
  await box.remove();
});

test("SIGTERM does nothing to an init process that does not catch it; one that does decides itself", async () => {
  const plain = await container("plain", ["sleep", "100"]);
  await plain.start();
  await plain.signal(15);
  // What it would have done is done by now.
  await plain.exec("e", ["true"]);
  expect(await plain.wait("e")).toBe(0);
  await plain.signal(9);
  expect(await plain.wait()).toBe(137);
  await plain.remove();
  const trap = await container("trap", [
    "sh",
    "-c",
    "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done",
  ]);
  await trap.start();
  await trap.readUntil("ready\n");
  await trap.signal(15);
  expect(await trap.wait()).toBe(7);
  await trap.remove();
});

test("a grandchild that keeps the output open holds nobody up, and nothing written before the end is lost", async () => {
  const box = await container("grandchild", ["sleep", "100"]);
  await box.start();
  await box.exec("e", ["sh", "-c", "sleep 50 & echo done"]);
  expect(await box.wait("e")).toBe(0);
  expect(await box.read("stdout", "e")).toBe("done\n");
  await box.remove();
});

test("a terminal has a size, echoes, and ends with its process", async () => {
  const box = await container("tty", ["sh", "-c", "read line; stty size; tty; exit 3"], true);
  await box.start();
  await client.unary(A.TtyWinResize, { containerId: "tty", execId: "tty", row: 33, column: 101 });
  await box.write("go\n");
  const output = await box.read("stdout");
  expect(output).toContain("33 101");
  expect(output).toContain("/dev/");
  expect(await box.wait()).toBe(3);
  await box.remove();
});

test("FIFOs, sockets' directories and device nodes can be made in the root file system", async () => {
  const box = await container("nodes", [
    "sh",
    "-c",
    "mkfifo /f && mknod /d c 1 3 && echo x >/d && ls -l /f /d | cut -c1",
  ]);
  await box.start();
  expect(await box.read("stdout")).toBe("c\np\n");
  await box.remove();
});

test("an id is free again after the container was removed; an unknown program fails the creation", async () => {
  makeBundle(join(guest.shared, "again"));
  const create = (program: string) => GuestContainer.create(client, "again", [program]);
  await expect(create("no-such-program")).rejects.toThrow("executable file not found in $PATH");
  const box = await create("true");
  await box.start();
  expect(await box.wait()).toBe(0);
  await box.remove();
  await expect(box.wait()).rejects.toMatchObject({ code: "NotFound" });
});

test("a session that is cut leaves containers as they are", async () => {
  const box = await container("cut", ["sh", "-c", "read x; echo $x"]);
  await box.start();
  const waiting = box.read("stdout").catch(() => "cut");
  client = await guest.connect();
  expect(await waiting).toBe("cut");
  const same = box.with(client);
  await same.write("still here\n");
  expect(await same.read("stdout")).toBe("still here\n");
  await same.remove();
});

test("bind volumes below the share are mounted, read-only when asked", async () => {
  mkdirSync(join(guest.shared, "vol-0123456789abcdef-data"));
  writeFileSync(join(guest.shared, "vol-0123456789abcdef-data/f"), "content\n");
  makeBundle(join(guest.shared, "vol"));
  const box = await GuestContainer.create(
    client,
    "vol",
    ["sh", "-c", "cat /data/f; echo x >/data/g || echo ro"],
    false,
    [
      {
        destination: "/data",
        type: "bind",
        source: "/run/kata-containers/shared/containers/vol-0123456789abcdef-data",
        options: ["rbind", "ro"],
      },
    ],
  );
  await box.start();
  expect(await box.read("stdout")).toBe("content\nro\n");
  await box.remove();
});

test("the agent's memory is at most 8 MB while a container runs", async () => {
  makeBundle(join(guest.shared, "rss"));
  const seen = { destination: "/guest-proc", type: "bind", source: "/proc", options: ["bind", "ro"] };
  const box = await GuestContainer.create(client, "rss", ["cat", "/guest-proc/1/status"], false, [seen]);
  await box.start();
  const status = await box.read("stdout");
  const rss = Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]);
  const file = /^RssFile:\s*(\d+) kB$/m.exec(status)?.[1];
  console.log(`agent VmRSS ${rss} KiB, of which file-backed ${file} KiB`);
  expect(rss).toBeLessThan(8_000_000 / 1024);
  await box.remove();
});

import { randomBytes } from "node:crypto";
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
  await createSandbox("box");
});
afterAll(() => guest[Symbol.asyncDispose]());

async function createSandbox(hostname: string): Promise<void> {
  await client.unary(A.CreateSandbox, {
    hostname,
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
}

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

test("without a card the guest has its loopback interface, up, and routes that are replaced as a whole", async () => {
  const { Interfaces } = await client.unary(A.ListInterfaces, {});
  expect(Interfaces).toMatchObject([
    { name: "lo", IPAddresses: [{ address: "127.0.0.1", mask: "8" }, { address: "::1" }] },
  ]);
  const update = (...dest: string[]) =>
    client.unary(A.UpdateRoutes, {
      routes: { Routes: dest.map((each) => ({ dest: each, device: "lo", metric: 9 })) },
    });
  await update("192.0.2.0/24", "fd99::/64");
  await update("192.0.2.0/24", "198.51.100.0/24");
  const destinations = async () =>
    (await client.unary(A.ListRoutes, {})).Routes.filter(({ metric }) => metric === 9).map(
      ({ dest }) => dest,
    );
  expect(await destinations()).toEqual(["192.0.2.0/24", "198.51.100.0/24"]);
  await update();
  expect(await destinations()).toEqual([]);
});

test("a card that does not appear is waited for as long as agent.hotplug_timeout says, and others are answered meanwhile", async () => {
  const missing = { name: "eth0", hwAddr: "02:00:00:00:00:01", mtu: 1500 };
  const updating = client.unary(A.UpdateInterface, { interface: missing });
  updating.catch(() => {});
  expect(await client.unary(Health.Check, {})).toEqual({ status: 1 });
  await expect(updating).rejects.toMatchObject({
    code: "DeadlineExceeded",
    message: "network card 02:00:00:00:00:01 did not appear within 10000 ms",
  });
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

test("SetGuestDateTime sets the clock that containers see", async () => {
  const box = await container("clock", ["sleep", "100"]);
  await box.start();
  const date = async (execId: string) => {
    await box.exec(execId, ["date", "+%s"]);
    return Number(await box.read("stdout", execId));
  };
  const begun = Date.now();
  try {
    await client.unary(A.SetGuestDateTime, { Sec: 2_000_000_000, Usec: 999_999 });
    const seen = await date("then");
    expect(seen).toBeGreaterThanOrEqual(2_000_000_000);
    expect(seen).toBeLessThanOrEqual(2_000_000_001 + (Date.now() - begun) / 1000);
    const bad = client.unary(A.SetGuestDateTime, { Sec: 1, Usec: 1_000_000 });
    await expect(bad).rejects.toMatchObject({ code: "InvalidArgument" });
  } finally {
    await client.unary(A.SetGuestDateTime, { Sec: Math.floor(Date.now() / 1000), Usec: 0 });
  }
  expect(Math.abs((await date("now")) - Date.now() / 1000)).toBeLessThan(10);
  await box.remove();
});

// Which bytes the kernel mixes in shows nowhere in the guest; that it gets those of the request: rpc/handlers.test.ts.
test("ReseedRandomDev takes entropy of any kind and size up to 64 KiB, and the kernel's generator goes on", async () => {
  for (const data of [Uint8Array.of(0), new Uint8Array(48).fill(0xa5), new Uint8Array(randomBytes(64 << 10))])
    await client.unary(A.ReseedRandomDev, { data });
  for (const bytes of [0, (64 << 10) + 1]) {
    const reseeding = client.unary(A.ReseedRandomDev, { data: new Uint8Array(bytes) });
    await expect(reseeding).rejects.toMatchObject({ code: "InvalidArgument" });
  }
  const random = "cat /proc/sys/kernel/random/entropy_avail; head -c 16 /dev/random | wc -c";
  const box = await container("random", ["sh", "-c", `mknod -m 444 /dev/random c 1 8 2>&-; ${random}`]);
  await box.start();
  expect(await box.read("stdout")).toBe("256\n16\n");
  await box.remove();
});

test("a sandbox that was destroyed can be created again, and has nothing of the one before", async () => {
  const before = await container("before", ["sleep", "100"]);
  await before.start();
  const ended = before.wait();
  await client.unary(A.DestroySandbox, {});
  expect(await ended).toBe(137);
  await expect(before.start()).rejects.toMatchObject({ code: "NotFound" });
  const without = client.unary(A.CreateContainer, { containerId: "x", execId: "x", OCI: {} });
  await expect(without).rejects.toThrow();
  await createSandbox("again");
  const box = await GuestContainer.create(client, "before", ["sh", "-c", "hostname; mount | grep -c ' / '"]);
  await box.start();
  expect(await box.read("stdout")).toBe("again\n1\n");
  await box.remove();
  await client.unary(A.DestroySandbox, {});
  await client.unary(A.DestroySandbox, {});
  await createSandbox("box");
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

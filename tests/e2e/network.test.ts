import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findTraces } from "../harness/leaks.ts";
import { TestNetwork } from "../harness/network.ts";
import { eventually } from "../harness/process.ts";
import { configurationFile, writeConfiguration } from "../harness/programs.ts";
import { exitOf, useRuntime } from "../harness/runtime.ts";
import { descriptorsOf, sandboxProcesses } from "../harness/sandbox-processes.ts";

const runtime = useRuntime();
let network: TestNetwork;

beforeEach(async () => {
  runtime.configuration = configurationFile;
  network = await TestNetwork.open();
});
afterEach(() => network.close());

/** Of a container in the inner namespace. */
const inNetwork = (args: readonly string[] = ["sleep", "1000"], path = network.inside.path) => ({
  args,
  edit: ({ linux }: { linux: { namespaces: { type: string; path?: string }[] } }) => {
    for (const each of linux.namespaces) if (each.type === "network") each.path = path;
  },
});

const inGuest = (id: string, ...words: readonly string[]) => runtime.ok(["exec", id, ...words]);
const ping = (address: string) => ["ping", "-c", "1", "-W", "5", address];

/** Lines of `ip route`, sorted. */
const routesOf = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.replaceAll(/ +/g, " ").trim())
    .filter((line) => line !== "")
    .sort();

async function deleteAll(): Promise<void> {
  await runtime.removeAll();
}

describe("a sandbox in a network namespace with a veth", () => {
  it("has the interface as it is there: name, MAC, MTU, addresses, routes, permanent neighbours", async () => {
    network.connect("eth0", 71, 1400);
    network.inside.ip(
      "route add default via 10.71.0.1",
      "route add 198.51.100.0/24 via 192.0.2.9 dev eth0 onlink",
      "route add 203.0.113.0/24 dev eth0 metric 7",
      "-6 route add default via fd71::1",
      "neighbour add 10.71.0.99 lladdr 02:00:00:00:00:99 dev eth0 nud permanent",
      "-6 neighbour add fd71::99 lladdr 02:00:00:00:00:98 dev eth0 nud permanent",
    );
    await network.settled();
    const before = network.inside.picture();
    const named = network.inside.named(runtime.scratch.join("netns"));
    const id = await runtime.start(inNetwork(undefined, named));
    const show = await inGuest(id, "ip", "address", "show", "eth0");
    const link = network.inside.run("ip", "address", "show", "eth0");
    const mac = /link\/ether (\S+)/.exec(link)?.[1] ?? "";
    expect(show).toContain(`link/ether ${mac}`);
    expect(show).toContain("mtu 1400");
    const addresses = (text: string) =>
      [...text.matchAll(/inet6? (\S+)/g)].map(([, address]) => address).sort();
    expect(addresses(show)).toEqual(addresses(link));
    expect(show).not.toContain("tentative");
    expect(routesOf(await inGuest(id, "ip", "route"))).toEqual([
      "10.71.0.0/24 dev eth0 scope link src 10.71.0.2",
      "198.51.100.0/24 via 192.0.2.9 dev eth0 onlink",
      "203.0.113.0/24 dev eth0 scope link metric 7",
      "default via 10.71.0.1 dev eth0",
    ]);
    expect(await inGuest(id, "ip", "-6", "route")).toMatch(/^default via fd71::1 dev eth0/m);
    expect(await inGuest(id, "cat", "/proc/net/arp")).toMatch(/^10\.71\.0\.99 +0x1 +0x6 +02:00:00:00:00:99/m);
    expect(await inGuest(id, "ip", "-6", "neigh")).toMatch(/fd71::99 .*lladdr 02:00:00:00:00:98 .*PERMANENT/);
    await deleteAll();
    expect(network.inside.picture()).toBe(before);
  });

  it("is reached and reaches, over IPv4 and IPv6, with large frames too", async () => {
    network.connect("eth0", 72);
    const id = await runtime.start(inNetwork());
    for (const address of ["10.72.0.1", "fd72::1"]) await inGuest(id, ...ping(address));
    for (const address of ["10.72.0.2", "fd72::2"])
      network.outside.run("busybox", "ping", "-c", "1", "-W", "5", address);
    await inGuest(id, "ping", "-c", "1", "-W", "5", "-s", "20000", "10.72.0.1");
    // A file each way: by the VM's server, and by one outside.
    const file = Buffer.alloc(5_000_000, "some frames ");
    const expected = `${createHash("sha256").update(file).digest("hex")}\n`;
    const served = runtime.scratch.join("served");
    mkdirSync(served);
    writeFileSync(join(served, "file"), file);
    const [server = "", ...words] = network.outside.command(
      "busybox",
      "httpd",
      "-f",
      "-p",
      "7000",
      "-h",
      served,
    );
    runtime.spawnProgram(server, words, { stdio: "ignore" });
    await inGuest(id, "httpd", "-p", "7000", "-h", "/tmp");
    await eventually("a server", () => network.outside.run("ss", "-ltn").includes(":7000 ") || undefined);
    const fetch = (address: string) => `wget -q -O - http://${address}:7000/file`;
    const digest = "sha256sum | cut -c -64";
    for (const [outside, inside] of [
      ["10.72.0.1", "10.72.0.2"],
      ["[fd72::1]", "[fd72::2]"],
    ] as const) {
      await inGuest(id, "sh", "-c", `${fetch(outside)} > /tmp/file`);
      expect(await inGuest(id, "sh", "-c", `cat /tmp/file | ${digest}`)).toBe(expected);
      expect(network.outside.run("sh", "-c", `busybox ${fetch(inside)} | ${digest}`)).toBe(expected);
    }
  });

  it("has QEMU alone hold the tap, without a path to it", async () => {
    network.connect("eth0", 73);
    await runtime.start(inNetwork());
    const programs = sandboxProcesses(runtime.traces());
    const holders = [...programs].filter(([, pid]) =>
      [...descriptorsOf(pid).values()].includes("/dev/net/tun"),
    );
    expect(holders.map(([program]) => program)).toEqual(["qemu"]);
    expect(network.inside.run("ip", "-o", "link")).toContain("tap0_kata");
  });

  it("gives the namespace back as it was after its daemon was killed and it was deleted", async () => {
    network.connect("eth0", 74);
    await network.settled();
    const before = network.inside.picture();
    const id = await runtime.start(inNetwork());
    expect(network.inside.picture()).not.toBe(before);
    const daemon = sandboxProcesses(runtime.traces()).get("containerd-shim-kata-v2");
    process.kill(daemon ?? Number.NaN, "SIGKILL");
    await expect.poll(async () => (await runtime.state(id)).status).toBe("stopped");
    await runtime.ok(["delete", "--force", id]);
    expect(network.inside.picture()).toBe(before);
  });

  it("gives the namespace back when it cannot be made", async () => {
    network.connect("eth0", 75);
    await network.settled();
    const before = network.inside.picture();
    const child = runtime.spawn(
      ["create", "--bundle", runtime.bundle(inNetwork(["/none"])), runtime.newId()],
      {
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
    expect((await exitOf(child)).status).toBe(1);
    expect(network.inside.picture()).toBe(before);
  });
});

describe("several networks", () => {
  it("are several cards, in the order of their names, each with its own", async () => {
    network.connect("eth1", 81, 1300);
    network.connect("eth0", 80);
    const id = await runtime.start(inNetwork());
    for (const [name, number, mtu] of [
      ["eth0", 80, 1500],
      ["eth1", 81, 1300],
    ] as const) {
      const show = await inGuest(id, "ip", "address", "show", name);
      expect(show).toContain(`inet 10.${number}.0.2/24`);
      expect(show).toContain(`mtu ${mtu}`);
      await inGuest(id, ...ping(`10.${number}.0.1`));
    }
  });

  it.each(["pc", "q35"] as const)("come and go while the VM runs (%s)", async (machine_type) => {
    runtime.configuration = writeConfiguration(runtime.scratch.join(`${machine_type}.toml`), {
      "hypervisor.qemu": { machine_type },
    });
    network.connect("eth0", 82);
    await network.settled();
    const before = network.inside.picture();
    const id = await runtime.start(inNetwork());
    network.connect("net1", 83, 1450);
    network.inside.ip("route add 203.0.113.0/24 via 10.83.0.1");
    await eventually(
      "the route",
      async () =>
        (await inGuest(id, "ip", "route")).includes("203.0.113.0/24 via 10.83.0.1 dev net1") || undefined,
    );
    expect(await inGuest(id, "ip", "address", "show", "net1")).toMatch(
      /mtu 1450 [\s\S]*inet 10\.83\.0\.2\/24/,
    );
    for (const address of ["10.83.0.1", "fd83::1", "10.82.0.1"]) await inGuest(id, ...ping(address));
    network.inside.ip("link set eth0 mtu 1350", "address add 10.82.0.3/24 dev eth0");
    await eventually(
      "the change",
      async () =>
        /mtu 1350 [\s\S]*10\.82\.0\.3/.test(await inGuest(id, "ip", "address", "show", "eth0")) || undefined,
    );
    network.disconnect(83);
    await eventually(
      "its end",
      async () => !(await inGuest(id, "ls", "/sys/class/net")).includes("net1") || undefined,
    );
    await inGuest(id, ...ping("10.82.0.1"));
    network.inside.ip("address delete 10.82.0.3/24 dev eth0", "link set eth0 mtu 1500");
    await deleteAll();
    expect(network.inside.picture()).toBe(before);
  });

  it("of which one appears in a hook, as docker's does, is there when the process starts", async () => {
    const script = runtime.scratch.join("hook");
    const { outside } = network;
    const lines = [
      "#!/bin/sh",
      "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/')",
      `exec nsenter --net=${outside.path} sh -c "
        ip link add out84 type veth peer name eth0 netns $pid &&
        ip address add 10.84.0.1/24 dev out84 && ip link set out84 up &&
        nsenter --net=/proc/$pid/ns/net ip address add 10.84.0.2/24 dev eth0 &&
        nsenter --net=/proc/$pid/ns/net ip link set eth0 up &&
        nsenter --net=/proc/$pid/ns/net ip route add default via 10.84.0.1"`,
    ];
    writeFileSync(script, lines.join("\n"));
    chmodSync(script, 0o755);
    const bundle = runtime.bundle({ args: ping("10.84.0.1"), hooks: { createRuntime: [{ path: script }] } });
    expect(await runtime.ok(["run", "--bundle", bundle, runtime.newId()])).toContain("1 packets received");
  });
});

describe("no network", () => {
  it("is loopback alone, up, and no card: nothing leads out", async () => {
    const script =
      "ls /sys/class/net; ping -c 1 -W 5 127.0.0.1 >/dev/null && echo up; cat /proc/net/route | wc -l; ls /sys/bus/virtio/drivers/virtio_net 2>/dev/null | grep virtio";
    const bundle = runtime.bundle({ args: ["sh", "-c", script] });
    const ended = await runtime.kata(["run", "--bundle", bundle, runtime.newId()]);
    expect(ended.stdout).toBe("lo\nup\n1\n");
  });

  it("is what internetworking_model none gives, whatever is in the namespace", async () => {
    network.connect("eth0", 90);
    await network.settled();
    const before = network.inside.picture();
    runtime.configuration = writeConfiguration(runtime.scratch.join("none.toml"), {
      runtime: { internetworking_model: "none" },
    });
    const id = await runtime.start(inNetwork());
    expect(await inGuest(id, "ls", "/sys/class/net")).toBe("lo\n");
    expect(network.inside.picture()).toBe(before);
  });
});

describe("what cannot be connected", () => {
  const failedCreate = async () => {
    const before = findTraces(runtime.traces());
    const child = runtime.spawn(["create", "--bundle", runtime.bundle(inNetwork()), runtime.newId()], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const { status, stderr } = await exitOf(child);
    expect(status).toBe(1);
    expect(findTraces(runtime.traces())).toEqual(before);
    return stderr;
  };

  it("is named with its kind, and nothing was changed", async () => {
    network.inside.ip("link add br0 type bridge", "address add 10.91.0.1/24 dev br0");
    await network.settled();
    const before = network.inside.picture();
    expect(await failedCreate()).toContain(
      "network interface br0 is of kind bridge: only veth, macvlan, ipvlan, tun",
    );
    expect(network.inside.picture()).toBe(before);
  });

  it("is an interface that another virtual machine has: this one goes on", async () => {
    network.connect("eth0", 92);
    const id = await runtime.start(inNetwork());
    expect(await failedCreate()).toContain("cannot connect network interface eth0 to the virtual machine");
    await inGuest(id, ...ping("10.92.0.1"));
  });
});

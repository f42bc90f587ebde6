import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { importTypeScript } from "../../scripts/import-typescript.mjs";
import { kata, kataRuntime, makeBundle, newId, withIdle } from "../containers.mjs";
import { bareQemu, compileStatic, machineOfDaemon, packInitrd } from "../machine.mjs";
import { compare, must } from "../measure.mjs";

const { TestNetwork } = await importTypeScript("tests/harness/network.ts");

/** Of the guest; bench/tcp.c serves there. */
const ADDRESS = "10.7.0.2";
const PORT = "7000";

/**
 * The time of a TCP program on the host against its peer in a container, and against the same peer as /init of a bare guest, in turn:
 * both guests have the same machine, kernel and card, and their taps are joined to a veth of a namespace in the same way.
 * @param {string} name @param {string} promise
 * @param {{mode: "in" | "out" | "latency", count: number, unit: string, scale: number, digits: number}} options scale: of a second
 */
const tcp = (name, promise, { mode, count, unit, scale, digits }) => ({
  name,
  promise,
  measure: () =>
    withFolder((folder) => {
      const program = join(folder, "tcp");
      compileStatic("bench/tcp.c", program);
      return withNetwork((ours) =>
        withNetwork((theirs) =>
          withContainer(ours, program, () =>
            withBareGuest(theirs, folder, program, () => {
              /** @param {any} network */
              const once = (network) => {
                const [client, ...words] = network.outside.command(
                  program,
                  mode,
                  ADDRESS,
                  PORT,
                  String(count),
                );
                return Number(must(client, words).stdout) * scale;
              };
              return compare(
                () => once(ours),
                () => once(theirs),
                { limit: 1 / 0.9, pairs: 15, name: "bare", unit, digits },
              );
            }),
          ),
        ),
      );
    }),
});

const MEBIBYTES = 256;
const ROUND_TRIPS = 2000;
const bytes = { count: MEBIBYTES << 20, unit: `s for ${MEBIBYTES} MiB`, scale: 1, digits: 2 };

export const tcpIn = tcp("tcp-in", "TCP to a container ≥ 0.9 × bare", { mode: "in", ...bytes });
export const tcpOut = tcp("tcp-out", "TCP from a container ≥ 0.9 × bare", { mode: "out", ...bytes });
export const tcpLatency = tcp("tcp-latency", "TCP round trip ≤ bare / 0.9", {
  ...{ mode: "latency", count: ROUND_TRIPS, unit: "µs", scale: 1e6 / ROUND_TRIPS, digits: 0 },
});

/** @template T @param {(folder: string) => Promise<T>} use */
async function withFolder(use) {
  const folder = mkdtempSync(join(tmpdir(), "kata-bench-tcp-"));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A namespace for a guest, with eth0, and one that plays the host. @template T @param {(network: any) => T | Promise<T>} use */
async function withNetwork(use) {
  const network = await TestNetwork.open();
  try {
    network.connect("eth0", 7);
    return await use(network);
  } finally {
    await network.close();
  }
}

/**
 * A container that serves, in the network's inner namespace.
 * @template T @param {any} network @param {string} program @param {() => Promise<T>} use
 */
async function withContainer(network, program, use) {
  const bundle = makeBundle(["/bin/tcp", "serve", PORT]);
  const id = newId();
  try {
    copyFileSync(program, join(bundle, "rootfs/bin/tcp"));
    const file = join(bundle, "config.json");
    const config = JSON.parse(readFileSync(file, "utf8"));
    for (const each of config.linux.namespaces) if (each.type === "network") each.path = network.inside.path;
    writeFileSync(file, JSON.stringify(config));
    const run = `${kata.join(" ")} run --detach --bundle ${bundle} ${id}`;
    must("/bin/sh", ["-c", `exec ${run} < /dev/null > /dev/null 2> /dev/null`]);
    return await use();
  } finally {
    kataRuntime("delete", "--force", id);
    rmSync(bundle, { recursive: true, force: true });
  }
}

/**
 * The same machine and kernel without the product: the program is /init, and QEMU has the tap by its name.
 * @template T @param {any} network @param {string} folder @param {string} program @param {() => T} use
 */
async function withBareGuest(network, folder, program, use) {
  const machine = withIdle(({ daemonPid }) => machineOfDaemon(daemonPid)).map((word, index, words) =>
    words[index - 1] === "-append" ? `${word} -- boot ${ADDRESS} ${PORT}` : word,
  );
  const initrd = packInitrd(folder, ["init", ...copyModules(folder, program)]);
  const { inside } = network;
  joinTap(inside);
  const mac = inside.run("cat", "/sys/class/net/eth0/address").trim();
  // As the product has it: docs/network.md.
  const vhost = existsSync("/dev/kvm") && existsSync("/dev/vhost-net") ? ",vhost=on" : "";
  const [command, ...words] = inside.command(
    ...bareQemu([...machine, "-serial", "null"], initrd),
    ...["-netdev", `tap,id=net,ifname=tap0,script=no,downscript=no${vhost}`],
    ...["-device", `virtio-net-pci,netdev=net,mac=${mac},romfile=`],
  );
  const qemu = spawn(command, words, { stdio: ["ignore", "ignore", "inherit"] });
  const ended = once(qemu, "exit");
  try {
    return use();
  } finally {
    qemu.kill("SIGKILL");
    await ended;
  }
}

/**
 * Puts /init and the modules that the card needs into the folder, numbered in the order in which they are loaded.
 * @param {string} folder @param {string} program @returns {string[]} the modules' names there
 */
function copyModules(folder, program) {
  copyFileSync(program, join(folder, "init"));
  mkdirSync(join(folder, "modules"));
  const modules = resolve("build/guest/modules");
  const { needs } = JSON.parse(readFileSync(join(modules, "modules.json"), "utf8"));
  /** @param {string} name @returns {string[]} */
  const withNeeds = (name) => [...needs[name].flatMap(withNeeds), name];
  const wanted = new Set(["virtio_pci", "virtio_net"].flatMap(withNeeds));
  const copies = [...wanted].map((name, index) => {
    copyFileSync(join(modules, `${name}.ko`), join(folder, "modules", String(index)));
    return `modules/${index}`;
  });
  return ["modules", ...copies];
}

/** A tap that is joined to eth0 by tc, as packages/virtcontainers/src/network/redirect.ts does it. @param {any} inside */
function joinTap(inside) {
  inside.ip("tuntap add tap0 mode tap vnet_hdr", "link set tap0 addrgenmode none");
  for (const [from, to] of [
    ["eth0", "tap0"],
    ["tap0", "eth0"],
  ]) {
    inside.run("tc", "qdisc", "add", "dev", from, "ingress");
    const everything = ["protocol", "all", "u32", "match", "u8", "0", "0"];
    const redirect = ["action", "mirred", "egress", "redirect", "dev", to];
    inside.run("tc", "filter", "add", "dev", from, "parent", "ffff:", ...everything, ...redirect);
  }
  inside.ip("link set tap0 up");
}

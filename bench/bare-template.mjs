// A template and its copies without the product: how long QEMU, virtiofsd and the guest's kernel take by themselves.
//
//   node bench/bare-template.mjs make FOLDER   boots FOLDER/order.json's machine up to its "ready", and saves it in the folder
//   node bench/bare-template.mjs copy FOLDER   goes on from there in a copy; prints the seconds until that has mounted a share
//
// A program of its own, because it has to listen while it works, and what measures does not.
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Qmp } from "./qmp.mjs";

/**
 * What withBareTemplate orders.
 * @typedef {object} Order
 * @property {string[]} machine see machineOfDaemon
 * @property {string} kernel
 * @property {string} initrd with bench/share.c as /init
 * @property {string[]} virtiofsd its command line without its socket
 * @property {number} queueSize of the share's device
 */

/** By which the guest finds its share: bench/share.c. */
const TAG = "share";

/** As the product moves it: packages/virtcontainers/src/hypervisor/qemu/saved-state.ts. */
const CAPABILITIES = ["x-ignore-shared", "events"].map((capability) => ({ capability, state: true }));

/** Of the state, in a QEMU that goes on from it: behind its stdio. */
const STATE_FD = 3;

/** A boot, on a machine that is busy with something else. */
const PATIENCE_MS = 30_000;

const PAGE = 4096;

const [action, folder = ""] = process.argv.slice(2);
try {
  if (action === "make") await make();
  else if (action === "copy") console.log((await copy()).toFixed(4));
  else throw new Error("usage: bare-template.mjs make|copy FOLDER");
} catch (error) {
  // Its last line is what the bench tells.
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

/** Leaves memory, state, and where the memory is not zero. */
async function make() {
  const { kernel, initrd, machine } = order();
  const memory = join(folder, "memory");
  closeSync(newFile(memory, bytesOf(machine)));
  const words = [...machine.filter(isMachine), "-kernel", kernel, "-initrd", initrd];
  const vm = await start([...words, "-append", commandLine(machine)], memory);
  try {
    await vm.says("ready");
    const qmp = await vm.qmp;
    await qmp.command("stop");
    await move(qmp, "migrate", `exec:cat > ${folder}/state`);
  } finally {
    await vm.end();
  }
  writeFileSync(join(folder, "extents.json"), JSON.stringify(extentsOf(memory)));
}

/** Seconds. */
async function copy() {
  const { machine, virtiofsd, queueSize } = order();
  const extents = JSON.parse(readFileSync(join(folder, "extents.json"), "utf8"));
  const state = openSync(join(folder, "state"), "r");
  const socket = join(folder, "share.sock");
  const [program = "", ...args] = virtiofsd;
  const started = performance.now();
  const memory = join(folder, "copy");
  const fd = newFile(memory, bytesOf(machine));
  const server = spawn(program, [...args, `--socket-path=${socket}`], { stdio: "ignore" });
  const vm = await start([...machine.filter(isMachine), "-incoming", "defer", "-S"], memory, state);
  try {
    // QEMU starts meanwhile.
    fill(fd, extents);
    const qmp = await vm.qmp;
    await move(qmp, "migrate-incoming", `fd:${STATE_FD}`);
    await connect(qmp, socket);
    const device = { driver: "vhost-user-fs-pci", chardev: "share", tag: TAG, "queue-size": queueSize };
    await qmp.command("device_add", { id: "share-device", ...device });
    await qmp.command("cont");
    await vm.says("mounted");
    return (performance.now() - started) / 1000;
  } finally {
    await vm.end();
    server.kill("SIGKILL");
    for (const each of [memory, socket]) rmSync(each, { force: true });
  }
}

/** @returns {Order} */
function order() {
  return JSON.parse(readFileSync(join(folder, "order.json"), "utf8"));
}

/** Whether a word is of the machine, not of the kernel. @param {string} word @param {number} index @param {string[]} words */
function isMachine(word, index, words) {
  return word !== "-append" && words[index - 1] !== "-append";
}

/** @param {string[]} machine */
function commandLine(machine) {
  return machine[machine.indexOf("-append") + 1] ?? "";
}

/** How much memory the machine has at first. @param {string[]} machine */
function bytesOf(machine) {
  return Number.parseInt(machine[machine.indexOf("-m") + 1] ?? "", 10) * 2 ** 20;
}

/** All zeroes. @param {string} path @param {number} bytes */
function newFile(path, bytes) {
  const fd = openSync(path, "w+", 0o600);
  ftruncateSync(fd, bytes);
  return fd;
}

/**
 * QEMU, with the devices that the product's copies have at first.
 * @param {string[]} words @param {string} memory @param {number} [state] which it inherits
 */
async function start(words, memory, state) {
  const qmp = await listen("qmp.sock");
  const console = await listen("console.sock");
  const size = `${bytesOf(words)}`;
  const args = [
    ...["-nodefaults", "-no-user-config", "-nographic", "-no-reboot", "-machine", "memory-backend=memory"],
    ...["-object", `memory-backend-file,id=memory,size=${size},share=on,mem-path=${memory}`],
    ...words,
    ...["-chardev", `socket,id=qmp,path=${qmp.path}`, "-mon", "chardev=qmp,mode=control"],
    ...["-chardev", "null,id=agent", "-device", "virtio-serial-pci,id=serial,max_ports=2"],
    ...["-device", "virtserialport,chardev=agent,name=agent.channel.0"],
    ...["-object", "rng-random,id=entropy,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=entropy"],
    ...["-chardev", `socket,id=console,path=${console.path}`, "-device", "isa-serial,chardev=console"],
    ...["-device", "vmgenid,guid=auto"],
  ];
  const process = spawn("qemu-system-x86_64", args, {
    stdio: ["ignore", "ignore", "inherit", ...(state === undefined ? [] : [state])],
    timeout: PATIENCE_MS,
    killSignal: "SIGKILL",
  });
  const ended = once(process, "exit");
  const over = ended.then(() => {
    throw new Error("QEMU ended");
  });
  over.catch(() => {});
  return {
    qmp: Promise.race([qmp.connection.then(greet), over]),
    /** Resolves when the guest has written the word. @param {string} word */
    says: async (word) => Promise.race([written(await console.connection, word), over]),
    async end() {
      process.kill("SIGKILL");
      await ended;
    },
  };
}

/** Waits at a socket in the folder for one that connects. @param {string} name */
async function listen(name) {
  const path = join(folder, name);
  const server = createServer();
  server.listen(path);
  await once(server, "listening");
  /** @type {Promise<import("node:net").Socket>} */
  const connection = once(server, "connection").then(([socket]) => {
    server.close();
    return socket;
  });
  return { path, connection };
}

/** @param {import("node:net").Socket} socket */
async function greet(socket) {
  const qmp = new Qmp(socket);
  await qmp.command("qmp_capabilities");
  await qmp.command("migrate-set-capabilities", { capabilities: CAPABILITIES });
  return qmp;
}

/** @param {import("node:net").Socket} console @param {string} word */
async function written(console, word) {
  let text = "";
  for await (const part of console) {
    text += part;
    if (text.includes(word)) return;
  }
  throw new Error(`the guest has not said ${word}; its console's end: ${text.trim().split("\n").at(-1)}`);
}

/** @param {Qmp} qmp @param {"migrate" | "migrate-incoming"} command @param {string} uri */
async function move(qmp, command, uri) {
  const over = new Promise((resolve, reject) => {
    qmp.on("MIGRATION", ({ status }) => {
      if (status === "completed") resolve(status);
      else if (status === "failed") reject(new Error(`${command} failed`));
    });
  });
  await Promise.all([qmp.command(command, { uri }), over]);
}

/** To virtiofsd's socket, which it may not have made yet. @param {Qmp} qmp @param {string} path */
async function connect(qmp, path) {
  const addr = { type: "unix", data: { path } };
  const words = { id: "share", backend: { type: "socket", data: { addr, server: false } } };
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await qmp.command("chardev-add", words);
    } catch (error) {
      if (performance.now() > until) throw error;
      await sleep(1);
    }
  }
}

/** Where a file is not zero: offset and length of each run of pages. @param {string} path @returns {[offset: number, length: number][]} */
function extentsOf(path) {
  const bytes = readFileSync(path);
  const zeroes = Buffer.alloc(PAGE);
  /** @type {[offset: number, length: number][]} */
  const extents = [];
  for (let offset = 0; offset < bytes.length; offset += PAGE) {
    if (bytes.compare(zeroes, 0, PAGE, offset, offset + PAGE) === 0) continue;
    const last = extents.at(-1);
    if (last !== undefined && last[0] + last[1] === offset) last[1] += PAGE;
    else extents.push([offset, PAGE]);
  }
  return extents;
}

/** Copies the template's memory; all else of it is zero. @param {number} to @param {[offset: number, length: number][]} extents */
function fill(to, extents) {
  const from = openSync(join(folder, "memory"), "r");
  const buffer = Buffer.allocUnsafe(Math.max(...extents.map(([, length]) => length)));
  for (const [offset, length] of extents) {
    readSync(from, buffer, 0, length, offset);
    writeSync(to, buffer, 0, length, offset);
  }
  closeSync(from);
}

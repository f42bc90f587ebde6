// Boot times of guest kernels, side by side: from QEMU's exec to the first line of a /init in C, under software emulation.
//
//   node guest/kernel-own/boot-time.mjs RUNS NAME=VMLINUX[,extra kernel parameters] ...
//
// Prints a line a kernel: minimum and median in seconds, memory the guest has free. The runs are interleaved.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cpio } from "../cpio.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const LIMIT_MS = 60_000;
// As the product boots: guest/README.md, and packages/virtcontainers/src/hypervisor/qemu/arguments.ts.
const PARAMETERS =
  "quiet console=ttyS0 panic=1 reboot=k cryptomgr.notests noreplace-smp tsc=reliable no_timer_check acpi=noirq nolapic_timer";
const QEMU = [
  ...["-machine", "pc,memory-backend=memory,usb=off,vmport=off,smbus=off", "-accel", "tcg,tb-size=64"],
  ...[
    "-cpu",
    "max",
    "-smp",
    "1",
    "-m",
    "256M",
    "-object",
    "memory-backend-memfd,id=memory,size=256M,share=on",
  ],
  ...["-nodefaults", "-no-user-config", "-nographic", "-no-reboot", "-bios", "/usr/share/qemu/qboot.rom"],
  ...["-chardev", "null,id=agent", "-device", "virtio-serial-pci,max_ports=2"],
  ...["-device", "virtserialport,chardev=agent,name=agent.channel.0"],
  ...["-object", "rng-random,id=entropy,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=entropy"],
  ...["-chardev", "stdio,id=console,signal=off", "-device", "isa-serial,chardev=console"],
];

/** Boots once; returns the time to /init and MemAvailable in MiB. */
function boot({ vmlinux, extra }, initrd) {
  const started = performance.now();
  const guest = spawn(
    "qemu-system-x86_64",
    [...QEMU, "-kernel", vmlinux, "-initrd", initrd, "-append", `${PARAMETERS} ${extra}`],
    { stdio: ["ignore", "pipe", "inherit"], timeout: LIMIT_MS, killSignal: "SIGKILL" },
  );
  let text = "";
  let seconds;
  guest.stdout.setEncoding("latin1").on("data", (chunk) => {
    text += chunk;
    if (seconds === undefined && text.includes("INIT")) seconds = (performance.now() - started) / 1000;
  });
  return new Promise((resolve, reject) => {
    guest.on("error", reject).on("close", () => {
      const memory = /MemAvailable:\s+(\d+) kB/.exec(text)?.[1];
      if (seconds === undefined || memory === undefined) reject(new Error(`${vmlinux}: no boot:\n${text}`));
      else resolve({ seconds, memory: memory / 1024, text });
    });
  });
}

function parseKernel(word) {
  const [, name, vmlinux, extra = ""] = /^(.+?)=([^,]+)(?:,(.*))?$/.exec(word) ?? [];
  if (name === undefined) throw new Error(`not NAME=VMLINUX[,PARAMETERS]: ${word}`);
  return { name, vmlinux, extra, results: [] };
}

const [runs, ...words] = process.argv.slice(2);
const kernels = words.map(parseKernel);
const work = mkdtempSync(join(tmpdir(), "boot-time-"));
try {
  const init = join(work, "init");
  execFileSync("gcc", ["-Os", "-static", "-s", "-o", init, join(here, "boot-time.c")], { stdio: "ignore" });
  const initrd = join(work, "initrd");
  writeFileSync(
    initrd,
    cpio([
      { path: "dev", dir: true, mode: 0o755 },
      { path: "dev/console", char: [5, 1], mode: 0o600 },
      { path: "init", file: readFileSync(init), mode: 0o755 },
    ]),
  );
  for (let run = 0; run < Number(runs); run++)
    for (const kernel of kernels) kernel.results.push(await boot(kernel, initrd));
} finally {
  rmSync(work, { recursive: true });
}
for (const { name, results } of kernels) {
  const times = results.map(({ seconds }) => seconds).sort((a, b) => a - b);
  const median = times[times.length >> 1];
  const memory = Math.max(...results.map((result) => result.memory));
  console.log(`${name}: ${times[0].toFixed(3)} / ${median.toFixed(3)} s, ${memory.toFixed(1)} MiB available`);
}

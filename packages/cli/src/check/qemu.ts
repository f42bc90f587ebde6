import type { KataConfig } from "@kata-containers/config";
import { KataError } from "@kata-containers/sys";
import { type Finding, failure, ok, warning } from "./finding.ts";
import { unfitProgram } from "./programs.ts";
import { runProgram } from "./run-program.ts";

/** The oldest QEMU whose options all exist, and the oldest that the tests run with. */
const OLDEST = [5, 2] as const;
const TESTED = [7, 2] as const;

/** Devices that every virtual machine has. */
const DEVICES = ["vhost-user-fs-pci", "virtio-serial-pci", "virtio-rng-pci", "isa-serial"] as const;

const INSTALL = "install QEMU (Debian: qemu-system-x86), or set path of [hypervisor.qemu]";

/** Whether QEMU runs, is new enough, and has the machine and the devices. */
export async function checkQemu({ hypervisor }: KataConfig): Promise<Finding[]> {
  const { path, machine_type: machine } = hypervisor;
  const unfit = unfitProgram(path);
  if (unfit !== undefined) return [failure("qemu", `${path}: ${unfit.why}`, unfit.advice ?? INSTALL)];
  try {
    const version = await qemuVersion(path);
    const missing = [
      ...missingFrom(await runProgram(path, "-machine", "help"), [machine], (name) => `machine ${name}`),
      ...missingFrom(await runProgram(path, "-device", "help"), DEVICES, (name) => `device ${name}`),
    ];
    if (missing.length > 0)
      return [failure("qemu", `${path} ${version} lacks ${missing.join(", ")}`, INSTALL)];
    return [versionFinding(path, version)];
  } catch (error) {
    return [failure("qemu", KataError.from(error).message, INSTALL)];
  }
}

/** "7.2.22". @throws KataError when the program does not run or says something else */
export async function qemuVersion(path: string): Promise<string> {
  const text = await runProgram(path, "--version");
  const version = /QEMU emulator version (\d+\.\d+(?:\.\d+)?)/.exec(text)?.[1];
  if (version === undefined)
    throw new KataError("FailedPrecondition", `${path}: is no QEMU: it says ${firstLine(text)}`);
  return version;
}

export function versionFinding(path: string, version: string): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const before = ([wantMajor, wantMinor]: readonly [number, number]) =>
    major < wantMajor || (major === wantMajor && minor < wantMinor);
  const text = `${path} ${version}`;
  if (before(OLDEST)) return failure("qemu", `${text}: older than ${OLDEST.join(".")}`, INSTALL);
  if (before(TESTED))
    return warning("qemu", `${text}: nobody has tested one before ${TESTED.join(".")}`, INSTALL);
  return ok("qemu", text);
}

/** Names in QEMU's lists stand at the start of a line, or in quotes after `name`. */
function missingFrom(list: string, names: readonly string[], show: (name: string) => string): string[] {
  const words = new Set(list.split(/[\s",]+/));
  return names.filter((name) => !words.has(name)).map(show);
}

function firstLine(text: string): string {
  return JSON.stringify(text.trim().split("\n")[0] ?? "");
}

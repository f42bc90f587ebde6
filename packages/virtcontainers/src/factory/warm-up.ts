import type { KataConfig } from "@kata-containers/config";
import { EXAMPLE_SPEC, type Spec } from "@kata-containers/oci";
import { AgentService } from "@kata-containers/protocols";
import { mkdirp, O, ops, removeTree } from "@kata-containers/sys";
import type { Agent } from "../agent-client/agent.ts";
import type { Confinement } from "../confine/confinement.ts";
import { GUEST_SHARED_DIR } from "../paths.ts";
import { shmStorage } from "../share/memory-volume.ts";
import type { GuestMount } from "../share/share.ts";
import { dropSeccomp, filterOf, guestSpec, specFields } from "../spec/guest-spec.ts";

/** Of the sandbox, of its container and of that one's directory. */
const NAME = "warm-up";
const ROOTFS = `${NAME}/rootfs`;
const PROGRAM = "/true";

/**
 * Has the guest make a sandbox and a container whose program ends at once, and take both away again: what it does for the first time
 * takes long, above all where QEMU translates each instruction that it meets first.
 * @param guestMount of the share
 * @throws KataError when the guest cannot
 */
export async function warmUp(
  agent: Agent,
  { sharePlaces }: Pick<Confinement, "sharePlaces">,
  guestMount: GuestMount,
  { disable_guest_seccomp }: Pick<KataConfig["runtime"], "disable_guest_seccomp">,
): Promise<void> {
  const program = trueProgram(ops.uname().machine);
  if (program === undefined) return;
  makeRootfs(`${sharePlaces}/${ROOTFS}`, program);
  try {
    await agent.request(AgentService.CreateSandbox, {
      sandboxId: NAME,
      hostname: NAME,
      storages: [{ ...guestMount, mountPoint: `${GUEST_SHARED_DIR}/` }, shmStorage(undefined)],
    });
    await runProgram(agent, disable_guest_seccomp ? dropSeccomp(SPEC, () => {}) : SPEC);
    await agent.request(AgentService.DestroySandbox, {});
  } finally {
    removeTree(`${sharePlaces}/${NAME}`);
  }
}

async function runProgram(agent: Agent, asked: Spec): Promise<void> {
  const places = { rootfs: `${GUEST_SHARED_DIR}/${ROOTFS}`, volumes: new Map() };
  // Nothing is warned of: the profile is ours.
  const seccomp = filterOf(asked, () => {});
  const process = { containerId: NAME, execId: NAME };
  await agent.request(AgentService.CreateContainer, {
    ...process,
    ...specFields(guestSpec(asked, places), seccomp),
  });
  // A stream that is over is an error, as upstream's agent says it.
  const read = [AgentService.ReadStdout, AgentService.ReadStderr].map((method) =>
    agent.request(method, { ...process, len: 1 << 16 }).catch(() => {}),
  );
  await agent.request(AgentService.StartContainer, { containerId: NAME });
  await Promise.all([agent.request(AgentService.WaitProcess, process), ...read]);
  await agent.request(AgentService.RemoveContainer, { containerId: NAME, timeout: 0 });
}

const device = (major: number, minor: number) => ({ allow: true, type: "c", major, minor, access: "rwm" });

/**
 * As most containers are, with device rules and a seccomp profile: both are programs that the kernel checks and compiles. The profile is not
 * docker's: a few rules of each kind make the kernel do what it does for hundreds.
 */
const SPEC: Spec = {
  ...EXAMPLE_SPEC,
  process: { cwd: "/", ...EXAMPLE_SPEC.process, terminal: false, args: [PROGRAM], oomScoreAdj: 0 },
  linux: {
    ...EXAMPLE_SPEC.linux,
    resources: { devices: [{ allow: false, access: "rwm" }, device(1, 3), device(1, 5), device(5, 0)] },
    seccomp: {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [
        {
          names: ["keyctl", "add_key", "request_key", "ptrace", "kexec_load", "reboot"],
          action: "SCMP_ACT_ERRNO",
        },
        {
          names: ["personality", "clone"],
          action: "SCMP_ACT_ERRNO",
          args: [{ index: 0, value: 0x7e020000, op: "SCMP_CMP_MASKED_EQ", valueTwo: 0x7e020000 }],
        },
        {
          names: ["socket"],
          action: "SCMP_ACT_ERRNO",
          args: [{ index: 0, value: 39, op: "SCMP_CMP_GT" }],
        },
      ],
    },
  },
};

function makeRootfs(rootfs: string, program: Uint8Array): void {
  for (const name of ["dev", "proc", "sys"]) mkdirp(`${rootfs}/${name}`);
  ops.writeFile(rootfs + PROGRAM, program, O.CREAT | O.TRUNC, 0o755);
}

/** A static program that does nothing: an ELF header, a program header, exit(0). undefined: not known for this machine. */
export function trueProgram(machine: string): Uint8Array | undefined {
  if (machine !== "x86_64") return undefined;
  // mov edi, 0; mov eax, 60 (exit); syscall
  const code = [0xbf, 0, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05];
  const [header, size, base] = [64 + 56, 64 + 56 + code.length, 0x400000];
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  // elf(5): 64 bits, little endian, version 1; an executable for x86-64.
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 62, true);
  view.setUint32(20, 1, true);
  view.setUint32(24, base + header, true);
  view.setUint32(32, 64, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  // PT_LOAD, read and execute: the whole file.
  view.setUint32(64, 1, true);
  view.setUint32(68, 5, true);
  view.setUint32(80, base, true);
  view.setUint32(88, base, true);
  view.setUint32(96, size, true);
  view.setUint32(104, size, true);
  view.setUint32(112, 0x1000, true);
  bytes.set(code, header);
  return bytes;
}

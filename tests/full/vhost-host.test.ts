import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { makeBundle } from "../harness/bundle.ts";
import { cellConfiguration } from "../harness/cells.ts";
import { run } from "../harness/process.ts";
import { kataRuntime, repository, Scratch, writeConfiguration } from "../harness/programs.ts";

/** A VM in a VM under software emulation: 100 s on a quiet machine. */
const LIMIT_S = 900;

it(
  "reaches the agent by the kernel's vsock on a host with vhost-vsock and cgroup v2",
  async () => {
    using scratch = new Scratch();
    const bundle = makeBundle(scratch.join("bundle"), { args: ["sleep", "1000"] });
    const configuration = writeConfiguration(scratch.join("c.toml"), {
      "hypervisor.qemu": {
        ...cellConfiguration({ name: "", kernel: "own", machine: "pc", channel: "vsock" })["hypervisor.qemu"],
      },
      "agent.kata": { dial_timeout: LIMIT_S, request_timeout: LIMIT_S },
      runtime: { vm_start_timeout: LIMIT_S },
    });
    const kata = `${kataRuntime} --config ${configuration}`;
    const script = scratch.join("script");
    writeFileSync(
      script,
      [
        "export PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        `${kata} run --detach --bundle ${bundle} one < /dev/null > /run/log 2>&1 || cat /run/log`,
        `echo; echo "ports: $(${kata} exec one ls /sys/class/virtio-ports | wc -l)"`,
        `echo "kernel: $(${kata} exec one uname -r)"`,
        `${kata} kill one KILL; until ${kata} state one | grep -q stopped; do sleep 1; done`,
        `${kata} delete one; echo "deleted: $?"`,
        `echo "left: $(ls /run/vc/sbs) $(pgrep -fc 'qemu-system|virtiofsd|containerd-shim|kata-shim')"`,
      ].join("\n"),
    );
    const said = await boot(scratch.join("initrd"), script);
    expect(said).toMatch(/^ports: 0$/m);
    expect(said).toMatch(/^kernel: \d+\.\d+\S*-kata$/m);
    expect(said).toMatch(/^deleted: 0$/m);
    expect(said).toMatch(/^left: {1,2}0$/m);
  },
  LIMIT_S * 1000,
);

/** Boots the host to its end; what it said on its console. */
async function boot(initrd: string, script: string): Promise<string> {
  execFileSync("node", [join(import.meta.dirname, "vhost-host/make-initrd.mjs"), initrd]);
  const append =
    "quiet console=ttyS0 panic=1 reboot=k cryptomgr.notests noreplace-smp tsc=reliable no_timer_check";
  const { stdout } = await run(
    "qemu-system-x86_64",
    [
      ...["-machine", "pc", "-accel", "tcg", "-cpu", "max,-erms,-fsrm", "-m", "2048", "-smp", "2"],
      ...["-nodefaults", "-no-user-config", "-nographic", "-no-reboot", "-serial", "stdio"],
      ...["-kernel", join(repository, "build/guest/vmlinux"), "-initrd", initrd],
      ...["-append", `${append} kata.script=${script}`],
      "-virtfs",
      "local,path=/,mount_tag=files,security_model=none,readonly=on,multidevs=remap",
    ],
    { timeoutMs: LIMIT_S * 1000 },
  );
  return stdout.replaceAll("\r", "");
}

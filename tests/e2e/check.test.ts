import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { parse } from "smol-toml";
import { afterEach, describe, expect, it } from "vitest";
import { configurationFile, testConfiguration, writeConfiguration } from "../harness/programs.ts";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

afterEach(() => {
  runtime.configuration = configurationFile;
});

interface Report {
  readonly capable: boolean;
  readonly findings: readonly { check: string; verdict: string; detail: string; advice?: string }[];
}

function configure(changes: Parameters<typeof writeConfiguration>[1]): void {
  runtime.configuration = writeConfiguration(runtime.scratch.join("configuration.toml"), changes);
}

async function report(status: number): Promise<Report> {
  const ended = await runtime.kata(["check", "--json"]);
  expect(ended.status, ended.stderr + ended.stdout).toBe(status);
  return JSON.parse(ended.stdout);
}

async function failures(): Promise<string[]> {
  const { capable, findings } = await report(1);
  expect(capable).toBe(false);
  const failed = findings.filter(({ verdict }) => verdict === "failure");
  for (const { advice } of failed) expect(advice).toBeTruthy();
  return failed.map(({ check, detail }) => `${check}: ${detail}`);
}

describe("check", () => {
  it("finds this host ready, with one line for each thing", async () => {
    const { status, stdout, stderr } = await runtime.kata(["check"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    for (const name of [
      "user",
      "host kernel",
      "cgroups",
      "qemu",
      "virtiofsd",
      "kernel",
      "initrd",
      "network",
      "memory",
    ])
      expect(stdout).toMatch(new RegExp(`^(ok|warning) +${name} `, "m"));
    expect(stdout).toMatch(/\nSystem is capable of running Kata Containers\n$/);
  });

  it("has upstream's name, too", async () => {
    const { findings } = await report(0);
    const other: Report = JSON.parse(await runtime.ok(["kata-check", "--json"]));
    expect(other.findings.map(({ check }) => check)).toEqual(findings.map(({ check }) => check));
  });

  it("fails without QEMU, and says so in one line on standard error", async () => {
    configure({ "hypervisor.qemu": { path: "/nowhere/qemu" } });
    const { status, stdout, stderr } = await runtime.kata(["check"]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^failure +qemu +\/nowhere\/qemu: no such file\n +to do: install QEMU/m);
    expect(stderr).toMatch(
      /^kata-runtime: System is not capable of running Kata Containers: 1 of \d+ checks failed[^\n]*\n$/,
    );
  });

  it("fails without virtiofsd, names the share that needs none, and is content with that", async () => {
    const missing = { virtio_fs_daemon: "/nowhere/virtiofsd" };
    configure({ "hypervisor.qemu": missing });
    const { status, stdout } = await runtime.kata(["check"]);
    expect(status).toBe(1);
    expect(stdout).toMatch(
      /^failure +virtiofsd +\/nowhere\/virtiofsd: no such file\n +to do: .*shared_fs = "virtio-9p"/m,
    );
    configure({ "hypervisor.qemu": { ...missing, shared_fs: "virtio-9p" } });
    expect(await runtime.ok(["check"])).toMatch(/^ok +virtiofsd +not used: shared_fs is virtio-9p$/m);
  });

  it("fails for programs that are not what they should be", async () => {
    const fake = runtime.scratch.join("fake");
    writeFileSync(fake, "#!/bin/sh\necho something else\n");
    chmodSync(fake, 0o755);
    const text = runtime.scratch.join("text");
    writeFileSync(text, "neither kernel nor initrd");
    configure({ "hypervisor.qemu": { path: fake, virtio_fs_daemon: fake, kernel: text, initrd: text } });
    expect(await failures()).toEqual([
      `qemu: ${fake}: is no QEMU: it says "something else"`,
      `virtiofsd: ${fake}: is no virtiofsd`,
      `kernel: ${text}: is neither an ELF kernel nor a bzImage`,
      `initrd: ${text}: is no cpio archive (newc), compressed or not`,
    ]);
  });

  it("fails for a program that everybody can change", async () => {
    const open = runtime.scratch.join("open");
    writeFileSync(open, "#!/bin/sh\n");
    chmodSync(open, 0o777);
    configure({ runtime: { launch_path: open } });
    expect(await failures()).toEqual([`programs: ${open}: everybody can change it, and it runs as root`]);
  });

  it("lists everything that is wrong in the configuration and its drop-ins", async () => {
    const directory = runtime.scratch.join("etc");
    mkdirSync(`${directory}/config.d`, { recursive: true });
    runtime.configuration = `${directory}/configuration.toml`;
    writeFileSync(runtime.configuration, "[runtime]\nenable_debug = 1\nx = 2\n");
    writeFileSync(`${directory}/config.d/a.toml`, "[hypervisor.clh]\n");
    expect((await failures()).map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual([
      `configuration: ${runtime.configuration}:2:`,
      `configuration: ${runtime.configuration}:3:`,
      `configuration: ${directory}/config.d/a.toml:1:`,
    ]);
  });

  it("fails for memory that is not there", async () => {
    configure({ "hypervisor.qemu": { enable_hugepages: true, default_memory: 16_000_000 } });
    expect(await failures()).toEqual([expect.stringMatching(/^memory: \d+ MiB of huge pages are free/)]);
  });
});

describe("the accelerator", () => {
  const kvm = async (status: number) => (await report(status)).findings.find(({ check }) => check === "kvm");

  it("that check and env tell is the one that QEMU gets", async () => {
    const found = await kvm(0);
    const { Hypervisor } = JSON.parse(await runtime.ok(["env", "--json"]));
    expect(Hypervisor.Accelerator).toBe(found?.verdict === "ok" ? "kvm" : "tcg");
    const id = await runtime.start();
    expect(qemuOf(id)).toContain(`-accel\0${Hypervisor.Accelerator}`);
  });

  it("KVM, when it is demanded and does not run a guest, is refused by check and create with the same words", async (context) => {
    const found = await kvm(0);
    if (found?.verdict === "ok") return context.skip("KVM runs guests here");
    expect(found?.detail).toMatch(/^\/dev\/kvm: .*software emulation/);
    expect(found?.advice).toMatch(/nest|firmware|modprobe/);
    configure({ "hypervisor.qemu": { accelerator: "kvm" } });
    const refused = await kvm(1);
    expect(refused?.verdict).toBe("failure");
    const ended = await runtime.kata(["create", "--bundle", runtime.bundle(), runtime.newId()]);
    expect(ended.stderr).toBe(`kata-runtime: ${refused?.detail}\n`);
  });

  it("is no matter of concern when software emulation is what is wanted", async () => {
    configure({ "hypervisor.qemu": { accelerator: "tcg" } });
    expect(await kvm(0)).toMatchObject({ verdict: "ok" });
  });
});

/** The command line of a sandbox's QEMU, by the record. */
function qemuOf(id: string): string {
  const record = JSON.parse(readFileSync(`${runtime.root}/${id}/persist.json`, "utf8"));
  const qemu = record.resources.find((each: { name?: string }) => each.name === "qemu");
  return readFileSync(`/proc/${qemu.identity.pid}/cmdline`, "utf8");
}

describe("env", () => {
  it("prints the configuration in effect, as JSON and as the same TOML", async () => {
    const environment = JSON.parse(await runtime.ok(["env", "--json"]));
    const { hypervisor } = testConfiguration();
    expect(environment).toMatchObject({
      Runtime: { Config: { Path: configurationFile, DropIns: [] }, Version: { Version: { Major: 0 } } },
      Hypervisor: {
        Path: hypervisor.path,
        MachineType: hypervisor.machine_type,
        Version: expect.stringMatching(/^\d+\.\d+/),
      },
      Kernel: { Path: hypervisor.kernel },
      Host: { Architecture: "amd64", CPU: { CPUs: expect.any(Number) }, VMContainerCapable: true },
    });
    const { Host: _, ...text } = parse(await runtime.ok(["kata-env"]));
    const { Host: __, ...json } = environment;
    expect(text).toEqual(json);
  });

  it("still tells the rest when QEMU does not run", async () => {
    configure({ "hypervisor.qemu": { path: "/nowhere/qemu" } });
    const environment = JSON.parse(await runtime.ok(["env", "--json"]));
    expect(environment.Hypervisor).toMatchObject({ Path: "/nowhere/qemu", Version: "<<unknown>>" });
  });
});

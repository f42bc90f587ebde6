import { type KataConfig, parseConfig } from "@kata-containers/config";
import { type Ops, S, SysError, setOps } from "@kata-containers/sys";
import { describe, expect, it } from "vitest";
import { checkAgentChannel } from "./devices.ts";
import type { Finding } from "./finding.ts";
import { kernelFormat } from "./guest-kernel.ts";
import { initrdObstacle } from "./initrd.ts";
import { readMeminfo } from "./memory.ts";
import { checkNetwork } from "./network.ts";
import { versionFinding } from "./qemu.ts";
import { Bytes } from "./read-at.ts";
import { checkTemplate } from "./template.ts";
import { missingCapabilities } from "./user.ts";

/** A file of these bytes. */
const fileOf = (bytes: Uint8Array) => ({
  at: (offset: number, length: number) => new Bytes(bytes.slice(offset, offset + length)),
});
const bytesOf = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

/** A 64-bit ELF with one program header of notes. */
function elf(note: { owner: string; type: number }, machine = 62): Uint8Array {
  const bytes = new Uint8Array(256);
  const view = new DataView(bytes.buffer);
  bytes.set(bytesOf("\x7fELF\x02\x01\x01"));
  view.setUint16(18, machine, true);
  view.setBigUint64(32, 64n, true); // program headers
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 4, true); // PT_NOTE
  view.setBigUint64(64 + 8, 128n, true);
  view.setBigUint64(64 + 32, 64n, true);
  const put = (at: number, owner: string, type: number) => {
    view.setUint32(at, owner.length, true);
    view.setUint32(at + 4, 8, true);
    view.setUint32(at + 8, type, true);
    bytes.set(bytesOf(owner), at + 12);
  };
  put(128, "GNU\0", 3);
  put(128 + 24, note.owner, note.type);
  return bytes;
}

describe("a guest's kernel", () => {
  it.each([
    [
      "an ELF with Xen's note of its 32-bit entry",
      elf({ owner: "Xen\0", type: 18 }),
      { format: "ELF with a PVH note" },
    ],
    ["a bzImage", bytesOf(`${"\0".repeat(0x202)}HdrS`), { format: "bzImage" }],
    [
      "an ELF with other notes",
      elf({ owner: "Xen\0", type: 5 }),
      { wrong: expect.stringContaining("no PVH note") },
    ],
    ["an ELF for arm64", elf({ owner: "Xen\0", type: 18 }, 183), { wrong: "is not for x86-64" }],
    ["a text", bytesOf("no kernel"), { wrong: "is neither an ELF kernel nor a bzImage" }],
    ["nothing", new Uint8Array(), { wrong: "is neither an ELF kernel nor a bzImage" }],
    ["an ELF that is cut off", elf({ owner: "Xen\0", type: 18 }).slice(0, 100), { wrong: expect.anything() }],
  ])("that is %s", (_, bytes, expected) => {
    expect(kernelFormat(fileOf(bytes))).toEqual(expected);
  });
});

/** A newc archive of files with these names, each of three bytes. */
function cpio(...names: string[]): string {
  const entry = (name: string, body: string) => {
    const fields = [1, 0o100644, 0, 0, 1, 0, body.length, 0, 0, 0, 0, name.length + 1, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}${name}\0`;
    const padded = (text: string) => text.padEnd(Math.ceil(text.length / 4) * 4, "\0");
    return padded(header) + padded(body);
  };
  return [...names.map((name) => entry(name, "abc")), entry("TRAILER!!!", "")].join("");
}

describe("an initrd", () => {
  it.each([
    ["has an /init", cpio("dev", "etc/passwd", "init"), undefined],
    ["has an ./init", cpio(".", "./init"), undefined],
    ["is compressed", "\x1f\x8b\x08", undefined],
    ["has none", cpio("sbin/init"), "has no /init"],
    ["is a text", "no archive", "is no cpio archive (newc), compressed or not"],
    ["is cut off", cpio("dev", "init").slice(0, 120), "is cut off, or no archive from its middle on"],
    ["lies about its sizes", `070701${"f".repeat(104)}`, "is cut off, or no archive from its middle on"],
  ])("that %s", (_, text, obstacle) => {
    expect(initrdObstacle(fileOf(bytesOf(text)))).toBe(obstacle);
  });
});

describe("QEMU's version", () => {
  it.each([
    ["5.1.0", "failure"],
    ["5.2.0", "warning"],
    ["7.1.5", "warning"],
    ["7.2.22", "ok"],
    ["10.0.2", "ok"],
  ])("%s gives %s", (version, verdict) => {
    expect(versionFinding("/q", version).verdict).toBe(verdict);
  });
});

it("capabilities that are missing are named", () => {
  expect(missingCapabilities("Name:\tx\nCapEff:\t000001ffffffffff\n")).toEqual([]);
  // docker's default set
  expect(missingCapabilities("CapEff:\t00000000a80425fb\n")).toEqual(["CAP_NET_ADMIN", "CAP_SYS_ADMIN"]);
});

it("the host's memory is read in MiB, free huge pages by their size", () => {
  const text =
    "MemTotal:  4096 kB\nMemFree: 2048 kB\nMemAvailable:  3072 kB\nHugePages_Free:  3\nHugepagesize:  2048 kB\n";
  expect(readMeminfo(text)).toEqual({ totalMiB: 4, freeMiB: 2, availableMiB: 3, hugeFreeMiB: 6 });
});

/** What a check of devices finds with this configuration, when opening one fails so. */
function found(check: (config: KataConfig) => Finding[], toml: string, error?: string): Finding | undefined {
  const fake: Partial<Ops> = {
    open: (path) => {
      if (error !== undefined) throw new SysError(error, "open", path);
      return 99;
    },
    close: () => {},
  };
  setOps(fake as Ops);
  try {
    return check(parseConfig(toml, "/c.toml"))[0];
  } finally {
    setOps(undefined);
  }
}

describe("the agent's channel", () => {
  const check = (channel: string, error?: string) =>
    found(checkAgentChannel, `[hypervisor.qemu]\nagent_channel = "${channel}"`, error);

  it("is vsock where the host has it, and virtio-serial elsewhere", () => {
    expect(check("auto")).toMatchObject({ verdict: "ok", detail: expect.stringContaining("vsock") });
    expect(check("auto", "ENOENT")).toMatchObject({
      verdict: "ok",
      detail: expect.stringContaining("virtio-serial"),
    });
    expect(check("virtio-serial")).toMatchObject({ verdict: "ok" });
  });

  it("is a failure where vsock is demanded and not to be had", () => {
    expect(check("vsock", "EACCES")).toMatchObject({
      verdict: "failure",
      detail: expect.stringContaining("/dev/vhost-vsock"),
    });
  });
});

describe("the network", () => {
  const check = (model: string, attempt: () => void) =>
    checkNetwork(parseConfig(`[runtime]\ninternetworking_model = "${model}"`, "/c.toml"), attempt);
  const refused = () => {
    throw new SysError("ENOENT", "open", "/dev/net/tun");
  };

  it("needs what a redirection does, but for sandboxes without one", () => {
    expect(check("tcfilter", () => {})).toMatchObject([{ verdict: "ok" }]);
    expect(check("tcfilter", refused)).toMatchObject([
      {
        verdict: "warning",
        detail: expect.stringContaining("/dev/net/tun"),
        advice: expect.stringContaining("modprobe -a tun sch_ingress cls_u32 act_mirred"),
      },
    ]);
    expect(check("none", refused)).toMatchObject([{ verdict: "ok" }]);
  });
});

describe("the template", () => {
  const TMPFS = 0x01021994;
  const EXT4 = 0xef53;
  const check = (place: { type?: number; freeMiB?: number; mode?: number }, keys = "", enabled = true) => {
    const toml = `[hypervisor.qemu]\n${keys}\n[factory]\nenable_template = ${enabled}\ntemplate_path = "/t"`;
    const directory = { uid: 0, mode: S.IFDIR | (place.mode ?? 0o700) } as ReturnType<Ops["stat"]>;
    const fake: Partial<Ops> = {
      cpuCount: () => 2,
      readFile: () => bytesOf("MemTotal: 8388608 kB\n"),
      utf8Decode: (bytes) => new TextDecoder().decode(bytes),
      geteuid: () => 0,
      open: () => 99,
      close: () => {},
      fstat: () => directory,
      statIfThere: () => directory,
      statfs: () => ({
        type: place.type ?? TMPFS,
        bsize: 4096,
        blocks: 0,
        bavail: (place.freeMiB ?? 1000) * 256,
      }),
    };
    setOps(fake as Ops);
    try {
      return checkTemplate(parseConfig(toml, "/c.toml"));
    } finally {
      setOps(undefined);
    }
  };

  it("is looked at when it is wanted", () => {
    expect(check({}, "", false)).toEqual([]);
    expect(check({})).toEqual([
      { check: "template", verdict: "ok", detail: "/t: on tmpfs, 1000 MiB are free" },
    ]);
  });

  it.each([
    ["on a disk", { type: EXT4 }, "", "/t: on ext4; it is read through the page cache"],
    ["where there is no room", { freeMiB: 20 }, "", "/t: 20 MiB are free"],
    ["where others may write", { mode: 0o777 }, "", "template_path /t: belongs to user 0 and has mode 777"],
    ["of no use with huge pages", {}, "enable_hugepages = true", "enable_hugepages: its memory"],
  ])("that is %s gives a warning: VMs boot, or wait for the disk", (_, place, keys, detail) => {
    const [finding, ...others] = check(place, keys);
    expect(finding).toMatchObject({ verdict: "warning", detail: expect.stringContaining(detail) });
    expect(others).toEqual([]);
  });
});

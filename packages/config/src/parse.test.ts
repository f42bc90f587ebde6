import { describe, expect, it } from "vitest";
import { parseConfig } from "./parse.ts";
import { renderDocs, renderTemplate } from "./template.ts";

const parse = (source: string) => parseConfig(source, "/etc/k.toml");

describe("parseConfig", () => {
  it("gives every key its default when the file is empty", () => {
    const config = parse("");
    expect(config.hypervisor.machine_type).toBe("pc");
    expect(config.hypervisor.default_memory).toBe(256);
    expect(config.runtime.enable_debug).toBe(false);
    expect(config.path).toBe("/etc/k.toml");
  });

  it("takes the values that the file sets", () => {
    const config = parse(
      `[hypervisor.qemu]\ndefault_vcpus = 2\nvirtio_fs_extra_args = ["-d"]\n[agent.kata]\ndial_timeout = 5`,
    );
    expect(config.hypervisor.default_vcpus).toBe(2);
    expect(config.hypervisor.virtio_fs_extra_args).toEqual(["-d"]);
    expect(config.agent.dial_timeout).toBe(5);
  });

  it("gives a configuration that nobody can change", () => {
    const config = parse("");
    expect(Object.isFrozen(config) && Object.isFrozen(config.hypervisor)).toBe(true);
  });

  it.each([
    [
      "[hypervisor.qemu]\nkernal = '/x'",
      '/etc/k.toml: unknown key "kernal" in [hypervisor.qemu] (did you mean "kernel"?)',
    ],
    ["[hypervisor.qemv]", "/etc/k.toml: unknown table [hypervisor.qemv] (did you mean [hypervisor.qemu]?)"],
    ["debug = true", '/etc/k.toml: key "debug" stands outside of every known table'],
    [
      "[hypervisor.qemu]\ndefault_memory = '1G'",
      '/etc/k.toml: [hypervisor.qemu] default_memory must be a number of MiB from 64 to 16777216, not "1G"',
    ],
    [
      "[hypervisor.qemu]\nmachine_type = 'q35'",
      '/etc/k.toml: [hypervisor.qemu] machine_type must be "pc", not "q35"',
    ],
    [
      "[hypervisor.qemu]\naccelerator = 'xen'",
      '/etc/k.toml: [hypervisor.qemu] accelerator must be "auto" or "kvm" or "tcg", not "xen"',
    ],
    [
      "[hypervisor.qemu]\npath = 'qemu'",
      '/etc/k.toml: [hypervisor.qemu] path must be an absolute path, not "qemu"',
    ],
    ["[runtime]\nenable_debug = 1", "/etc/k.toml: [runtime] enable_debug must be true or false, not 1"],
    [
      "[runtime]\nenable_debug = {a=1}",
      "/etc/k.toml: [runtime] enable_debug must be true or false, not a table",
    ],
  ])("refuses %j, naming file, key and what is right", (source, message) => {
    expect(() => parse(source)).toThrow(message);
  });

  it("names the known keys when none is near", () => {
    expect(() => parse("[agent.kata]\nzzzzzzzzzz = 1")).toThrow(
      '/etc/k.toml: unknown key "zzzzzzzzzz" in [agent.kata] (known: "dial_timeout", "request_timeout")',
    );
  });

  it("names the line of what is no TOML, in one line", () => {
    expect(() => parse("[runtime]\nenable_debug = maybe")).toThrow(
      /^\/etc\/k\.toml:2:\d+: not TOML: [^\n]+$/,
    );
  });
});

describe("renderTemplate", () => {
  it("is a file that parses to the defaults", () => {
    expect(parse(renderTemplate())).toEqual(parse(""));
  });

  it("is a file that parses to the defaults even when every comment sign before a key is taken away", () => {
    const all = renderTemplate().replaceAll(/^# (\w+ = )/gm, "$1");
    expect(all).toMatch(/^kernel = /m);
    expect(parse(all)).toEqual(parse(""));
  });

  it("sets what is overridden", () => {
    const config = parse(renderTemplate({ "hypervisor.qemu": { kernel: '/a "b"', default_vcpus: 3 } }));
    expect(config.hypervisor.kernel).toBe('/a "b"');
    expect(config.hypervisor.default_vcpus).toBe(3);
  });

  it("refuses an override that is no key, or has a wrong value", () => {
    expect(() => renderTemplate({ runtime: { nothing: 1 } })).toThrow("[runtime] has no key nothing");
    expect(() => renderTemplate({ runtime: { stop_timeout: -1 } })).toThrow("[runtime] stop_timeout must be");
  });
});

describe("renderDocs", () => {
  it("has a row for a key, with its default and an example", () => {
    expect(renderDocs()).toContain("| `default_vcpus` | a number of vCPUs from 1 to 240 | `1` |");
    expect(renderDocs()).toContain("Example: `2`.");
  });
});

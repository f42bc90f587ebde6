import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parseConfig, unmetSettings } from "./config.mjs";

const fragment = parseConfig(readFileSync(new URL("kernel.config", import.meta.url), "utf8"));

it("a setting that Kconfig dropped is named with what it became", () => {
  const unmet = unmetSettings(
    "CONFIG_A=y\nCONFIG_B=y\nCONFIG_N=0\n",
    "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_N=8\n",
  );
  expect(unmet).toEqual(["CONFIG_B=y (is not set)", "CONFIG_N=0 (is 8)"]);
});

it("a setting that is off is met by a symbol that is not set or does not exist, and by nothing else", () => {
  expect(unmetSettings("CONFIG_A=n\nCONFIG_GONE=n\n", "# CONFIG_A is not set\n")).toEqual([]);
  expect(unmetSettings("CONFIG_A=n\n", "CONFIG_A=y\n")).toEqual(["CONFIG_A=n (is y)"]);
});

it("a symbol's name that is another's beginning is not taken for it", () => {
  expect(unmetSettings("CONFIG_NF=y\n", "CONFIG_NF_NAT=y\n")).toEqual(["CONFIG_NF=y (is not set)"]);
});

it("a line that is no setting, and a symbol set twice, are errors with their line", () => {
  expect(() => parseConfig("CONFIG_A=y\nCONFIG_B\n")).toThrow(/line 2: not CONFIG_X=value: CONFIG_B/);
  expect(() => parseConfig("CONFIG_A=y\n\nCONFIG_A=n\n")).toThrow(/line 3: CONFIG_A is set twice/);
});

it("the kernel has its mitigations, and no way in for a container to the agent or to modules", () => {
  for (const symbol of [
    "CPU_MITIGATIONS",
    "PAGE_TABLE_ISOLATION",
    "RETPOLINE",
    "RETHUNK",
    "RANDOMIZE_BASE",
    "VMGENID",
  ])
    expect(fragment.get(`CONFIG_${symbol}`), symbol).toBe("y");
  for (const symbol of ["VSOCKETS_LOOPBACK", "MODULES", "IO_URING", "DEVMEM", "KEXEC", "DEBUG_FS"])
    expect(fragment.get(`CONFIG_${symbol}`), symbol).toBe("n");
});

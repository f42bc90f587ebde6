// node --test guest/kernel-own/

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseConfig, unmetSettings } from "./config.mjs";

const fragment = parseConfig(readFileSync(new URL("kernel.config", import.meta.url), "utf8"));

test("a setting that Kconfig dropped is named with what it became", () => {
  const unmet = unmetSettings(
    "CONFIG_A=y\nCONFIG_B=y\nCONFIG_N=0\n",
    "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_N=8\n",
  );
  assert.deepEqual(unmet, ["CONFIG_B=y (is not set)", "CONFIG_N=0 (is 8)"]);
});

test("a setting that is off is met by a symbol that is not set or does not exist, and by nothing else", () => {
  assert.deepEqual(unmetSettings("CONFIG_A=n\nCONFIG_GONE=n\n", "# CONFIG_A is not set\n"), []);
  assert.deepEqual(unmetSettings("CONFIG_A=n\n", "CONFIG_A=y\n"), ["CONFIG_A=n (is y)"]);
});

test("a symbol's name that is another's beginning is not taken for it", () => {
  assert.deepEqual(unmetSettings("CONFIG_NF=y\n", "CONFIG_NF_NAT=y\n"), ["CONFIG_NF=y (is not set)"]);
});

test("a line that is no setting, and a symbol set twice, are errors with their line", () => {
  assert.throws(() => parseConfig("CONFIG_A=y\nCONFIG_B\n"), /line 2: not CONFIG_X=value: CONFIG_B/);
  assert.throws(() => parseConfig("CONFIG_A=y\n\nCONFIG_A=n\n"), /line 3: CONFIG_A is set twice/);
});

test("the kernel has its mitigations, and no way in for a container to the agent or to modules", () => {
  for (const symbol of [
    "CPU_MITIGATIONS",
    "PAGE_TABLE_ISOLATION",
    "RETPOLINE",
    "RETHUNK",
    "RANDOMIZE_BASE",
    "VMGENID",
  ])
    assert.equal(fragment.get(`CONFIG_${symbol}`), "y", symbol);
  for (const symbol of ["VSOCKETS_LOOPBACK", "MODULES", "IO_URING", "DEVMEM", "KEXEC", "DEBUG_FS"])
    assert.equal(fragment.get(`CONFIG_${symbol}`), "n", symbol);
});

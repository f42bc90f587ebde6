import { SysError } from "@kata-containers/sys";
import { expect, test } from "vitest";
import { chooseAccelerator } from "./accelerator.ts";

const works = { kvmProbe: () => true };
const broken = { kvmProbe: () => false };
const absent = {
  kvmProbe: () => {
    throw new SysError("ENOENT", "open", "/dev/kvm");
  },
};

test("auto takes KVM when it runs a guest", () => {
  expect(chooseAccelerator("auto", works)).toEqual({ accelerator: "kvm", warning: undefined });
});

test("auto falls back to emulation with one warning that says why", () => {
  for (const probe of [broken, absent]) {
    const choice = chooseAccelerator("auto", probe);
    expect(choice.accelerator).toBe("tcg");
    expect(choice.warning).toMatch(/\/dev\/kvm: .*software emulation/);
  }
});

test("kvm that does not run a guest is an error when demanded", () => {
  for (const probe of [broken, absent]) {
    expect(() => chooseAccelerator("kvm", probe)).toThrow(/cannot start VM: \/dev\/kvm: /);
  }
});

test("tcg never touches /dev/kvm", () => {
  expect(chooseAccelerator("tcg", absent)).toEqual({ accelerator: "tcg", warning: undefined });
});

import type { DeviceRule } from "@kata-containers/oci";
import { DEFAULT_DEVICES } from "../devices.ts";
import { invalid } from "../refuse.ts";

/** A rule in full. */
export type DeviceAccess = {
  readonly allow: boolean;
  /** "a": all devices; numbers and access do not matter then (as runc). */
  readonly type: "a" | "b" | "c";
  /** Absent: every one. */
  readonly major?: number;
  readonly minor?: number;
  /** Letters of "rwm": read, write, mknod. */
  readonly access: string;
};

const always = (type: "b" | "c", major?: number, minor?: number, access = "rwm"): DeviceAccess => ({
  allow: true,
  type,
  access,
  ...(major === undefined ? {} : { major }),
  ...(minor === undefined ? {} : { minor }),
});

/** What every container may use, whatever the spec says: runc's list, made of the default devices, pseudo terminals and mknod. */
const ALWAYS: readonly DeviceAccess[] = [
  always("c", undefined, undefined, "m"),
  always("b", undefined, undefined, "m"),
  ...DEFAULT_DEVICES.map(({ major, minor }) => always("c", major, minor)),
  always("c", 5, 2),
  always("c", 136),
];

/**
 * The rules in force, the last that fits a device wins: at first nothing is allowed, then come the spec's in its order, then what is
 * always allowed.
 *
 * @throws KataError InvalidArgument.
 */
export function deviceRules(rules: readonly DeviceRule[]): DeviceAccess[] {
  return [
    { allow: false, type: "a", access: "rwm" },
    ...rules.map((rule, index) => deviceAccess(rule, `linux.resources.devices[${index}]`)),
    ...ALWAYS,
  ];
}

/** The kernel has 12 bits for a major and 20 for a minor number. */
const [MAX_MAJOR, MAX_MINOR] = [0xfff, 0xf_ffff];

function deviceAccess(rule: DeviceRule, where: string): DeviceAccess {
  const { allow, type = "a", access = "" } = rule;
  if (type === "" || type === "a") return { allow, type: "a", access: "rwm" };
  if (type !== "b" && type !== "c") invalid(`${where}.type`, `is not a, b or c: ${JSON.stringify(type)}`);
  if (!/^[rwm]*$/.test(access)) invalid(`${where}.access`, `is not of r, w and m: ${JSON.stringify(access)}`);
  const number = (key: "major" | "minor", max: number): { [key in "major" | "minor"]?: number } => {
    const value = rule[key];
    if (value === undefined || value === -1) return {};
    if (value < 0 || value > max) invalid(`${where}.${key}`, `is not a number from 0 to ${max}: ${value}`);
    return { [key]: value };
  };
  return {
    allow,
    type,
    access: access === "" ? "rwm" : access,
    ...number("major", MAX_MAJOR),
    ...number("minor", MAX_MINOR),
  };
}

/** One write to a file of the v1 controller: Documentation/admin-guide/cgroup-v1/devices.rst. */
export type DeviceWrite = { readonly file: "devices.allow" | "devices.deny"; readonly rule: string };

/** v1: the kernel takes rules one after the other. */
export function deviceWrites(rules: readonly DeviceAccess[]): DeviceWrite[] {
  return rules
    .filter(({ allow, type }, index) => index === 0 || allow || type !== "a")
    .map(({ allow, type, major = "*", minor = "*", access }) => ({
      file: allow ? "devices.allow" : "devices.deny",
      rule: type === "a" ? "a" : `${type} ${major}:${minor} ${access}`,
    }));
}

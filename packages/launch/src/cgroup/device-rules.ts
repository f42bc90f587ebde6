import type { DeviceRule } from "@kata-containers/oci";

/** What every container may use, whatever the spec says: runc's list, made of the default devices, pseudo terminals and mknod. */
const ALWAYS: readonly string[] = [
  "c *:* m",
  "b *:* m",
  "c 1:3 rwm",
  "c 1:5 rwm",
  "c 1:7 rwm",
  "c 1:8 rwm",
  "c 1:9 rwm",
  "c 5:0 rwm",
  "c 5:2 rwm",
  "c 136:* rwm",
];

/** One write to a file of the v1 controller: Documentation/admin-guide/cgroup-v1/devices.rst. */
export type DeviceWrite = { readonly file: "devices.allow" | "devices.deny"; readonly rule: string };

/** The spec's rules in its order, from "nothing is allowed"; then what is always allowed. */
export function deviceRules(rules: readonly DeviceRule[]): DeviceWrite[] {
  return [
    { file: "devices.deny", rule: "a" },
    ...rules.filter((rule) => rule.allow || !isEverything(rule)).map(deviceWrite),
    ...ALWAYS.map((rule): DeviceWrite => ({ file: "devices.allow", rule })),
  ];
}

function deviceWrite(rule: DeviceRule): DeviceWrite {
  const file = rule.allow ? "devices.allow" : "devices.deny";
  if (isEverything(rule)) return { file, rule: "a" };
  const number = (value: number | undefined) => (value === undefined || value < 0 ? "*" : `${value}`);
  const access = rule.access === undefined || rule.access === "" ? "rwm" : rule.access;
  return { file, rule: `${rule.type} ${number(rule.major)}:${number(rule.minor)} ${access}` };
}

function isEverything(rule: DeviceRule): boolean {
  return rule.type === undefined || rule.type === "" || rule.type === "a";
}

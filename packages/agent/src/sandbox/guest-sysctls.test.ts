import { expect, test } from "vitest";
import { sysctlPath } from "./guest-sysctls.ts";

test("a name becomes a path below /proc/sys", () => {
  expect(sysctlPath("net.ipv4.ip_forward")).toBe("/proc/sys/net/ipv4/ip_forward");
  expect(sysctlPath("net.ipv4.conf.eth0/1.forwarding")).toBe("/proc/sys/net/ipv4/conf/eth0.1/forwarding");
});

test.each(["net", "net..x", "net.ipv4.", "kernel.x", "net.//.//.kernel.hostname"])(
  "%j is refused",
  (name) => {
    expect(() => sysctlPath(name)).toThrow("not the name of a network sysctl");
  },
);

import type { Device, DeviceRule } from "@kata-containers/oci";
import { setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fakeFiles } from "../testing/fake-files.ts";
import { recordOps } from "../testing/fake-ops.ts";
import { checkDevices } from "./host-devices.ts";

beforeEach(() => {
  const numbers = ["char/1:3", "char/5:0", "char/10:229", "char/10:200", "block/8:0"];
  recordOps(fakeFiles(Object.fromEntries(numbers.map((number) => [`/sys/dev/${number}`, "dir"]))));
});
afterEach(() => setOps(undefined));

const node = (path: string, type: string, major: number, minor: number): Device => ({
  path,
  type,
  major,
  minor,
});
const check =
  (devices: readonly Device[], rules: readonly DeviceRule[] = []) =>
  () =>
    checkDevices({ ociVersion: "1.2.0", linux: { devices, resources: { devices: rules } } }, "/b");

test("a device of the host's is refused by name and number", () => {
  const null3 = node("/dev/mine", "c", 1, 3);
  expect(check([null3, node("/dev/net/tun", "c", 10, 200)])).toThrow(
    "/b/config.json: linux.devices[1]: /dev/net/tun (c 10:200) is a device of the host's, which are not passed to a VM",
  );
  expect(check([node("/dev/disk", "b", 8, 0)])).toThrow("linux.devices[0]: /dev/disk (b 8:0)");
});

test("what every kernel has, a number that is nobody's, and a FIFO are made in the guest", () => {
  const kernels = [
    node("/dev/null", "c", 1, 3),
    node("/dev/tty", "u", 5, 0),
    node("/dev/fuse", "c", 10, 229),
  ];
  expect(check([...kernels, node("/dev/x", "c", 8, 0), { path: "/dev/fifo", type: "p" }])).not.toThrow();
});

test("a privileged container, which is given every device, has the guest's", () => {
  const disk = [node("/dev/disk", "b", 8, 0)];
  expect(check(disk, [{ allow: true, access: "rwm" }])).not.toThrow();
  expect(check(disk, [{ allow: true, type: "a" }])).not.toThrow();
  expect(
    check(disk, [
      { allow: false, access: "rwm" },
      { allow: true, type: "c", access: "m" },
    ]),
  ).toThrow("b 8:0");
});

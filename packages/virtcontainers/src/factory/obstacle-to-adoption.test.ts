import { parseConfig } from "@kata-containers/config";
import { FakeRtnetlink, fakeLink } from "@kata-containers/netlink/testing";
import { Fd } from "@kata-containers/sys";
import { expect, test } from "vitest";
import { obstacleToAdoption } from "./obstacle-to-adoption.ts";

const FIRST = { vcpus: 1, memoryMiB: 256 };
const networkNamespace = new Fd(5);

function obstacle(keys: string, memoryMiB: number, interfaces: number): string | undefined {
  const rtnetlink = new FakeRtnetlink();
  for (let index = 1; index <= interfaces; index++) {
    rtnetlink.linkList.push(fakeLink({ index, name: `eth${index}` }));
    const address = `10.0.0.${index}`;
    rtnetlink.addressList.push({ link: index, family: 2, address, prefix: 24, permanent: true });
  }
  const config = parseConfig(keys, "/c.toml");
  return obstacleToAdoption(
    config,
    { size: { vcpus: 1, memoryMiB }, networkNamespace },
    FIRST,
    () => rtnetlink,
  );
}

test.each([
  ["", 256, 0, undefined],
  ["", 512, 9, undefined],
  ["[hypervisor.qemu]\nmemory_slots = 0", 256, 0, undefined],
  [
    "[hypervisor.qemu]\nmemory_slots = 0",
    512,
    0,
    "it is to have 512 MiB, those have 256, and memory_slots is 0",
  ],
  ['[hypervisor.qemu]\nmachine_type = "q35"', 512, 2, undefined],
  [
    '[hypervisor.qemu]\nmachine_type = "q35"',
    256,
    3,
    "it has 3 network interfaces, and q35 takes 2 network cards while it runs",
  ],
  ['[runtime]\ninternetworking_model = "none"\n[hypervisor.qemu]\nmachine_type = "q35"', 256, 3, undefined],
])("%j with %i MiB and %i interfaces: %s", (keys, memoryMiB, interfaces, expected) => {
  expect(obstacle(keys, memoryMiB, interfaces)).toBe(expected);
});

import { MS } from "@kata-containers/sys";
import { expect, test } from "vitest";
import { compileContainer } from "../compile-container.ts";
import { makeSpec, V2 } from "../testing/compile.ts";

/** What is mounted on the container's cgroups, on a host with v2 alone. */
function onCgroups(rootless: boolean, linux: object = {}) {
  const mounts = [{ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"] }];
  const { plan } = compileContainer(makeSpec({ mounts }, linux), V2, { id: "c1", bundle: "/b", rootless });
  return plan.init.filter((step) => "target" in step && step.target === "/sys/fs/cgroup");
}

test.each([
  ["", {}],
  [", in a cgroup namespace too", { namespaces: [{ type: "mount" }, { type: "cgroup" }] }],
])(
  "a user's container whose cgroup may not be there has nothing of the host's in its place (CVE-2023-25809)%s",
  (_, linux) => {
    const [cover, view, ...others] = onCgroups(true, linux);
    expect(cover).toMatchObject({ op: "mount", fstype: "tmpfs" });
    expect(cover !== undefined && "flags" in cover && cover.flags & MS.RDONLY).toBe(MS.RDONLY);
    expect(view).toMatchObject({ op: "bind", source: "/cg/user/c1", ignore: [2] });
    expect(others).toEqual([]);
  },
);

test("root's container has its cgroup, and no other mount there", () => {
  expect(onCgroups(false)).toMatchObject([{ op: "bind", source: "/cg/user/c1" }]);
});

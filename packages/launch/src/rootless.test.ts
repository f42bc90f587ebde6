import { expect, test } from "vitest";
import { compileContainer } from "./compile-container.ts";
import { compileExec } from "./compile-exec.ts";
import type { HostFacts } from "./host-facts.ts";
import { compile, find, HOST, makeSpec, V2 } from "./testing/compile.ts";

/* Who launches is not the host's root. */

const MAPPING = [{ containerID: 0, hostID: 0, size: 1 }];
const NAMESPACES = [{ type: "mount" }, { type: "user" }];
const MAPPED = { namespaces: NAMESPACES, uidMappings: MAPPING, gidMappings: MAPPING };

/** Root of podman's user namespace, which newgidmap has mapped. */
const PODMAN: HostFacts = { ...HOST, inUserNamespace: true };
/** Root of what `unshare --map-root-user` makes. */
const MAPPED_ROOT: HostFacts = { ...PODMAN, setgroupsDenied: true };
const USER: HostFacts = { ...HOST, isUser: true };

const groupsOf = (facts: HostFacts) => find(compile(makeSpec(), facts).plan.init, "user").at(-1)?.groups;

test.each<[string, HostFacts, readonly number[] | undefined]>([
  ["by the host's root", HOST, []],
  ["by the root of a user namespace", PODMAN, []],
  ["not where setgroups(2) is denied", MAPPED_ROOT, undefined],
  ["not by a user", USER, undefined],
])("our own groups are dropped %s", (_, facts, groups) => {
  expect(groupsOf(facts)).toEqual(groups);
  const options = { containerPidfd: 5, cgroups: [] };
  const { init } = compileExec(makeSpec(), { args: ["x"], cwd: "/" }, facts, options);
  expect(find(init, "user").at(-1)?.groups).toEqual(groups);
});

test.each<[string, HostFacts, boolean]>([
  ["a user maps its own ids, without setgroups(2)", USER, true],
  ["the root of a user namespace maps what that has", PODMAN, false],
])("%s", (_, facts, denySetgroups) => {
  const { parent, stage } = compile(makeSpec({}, MAPPED), facts).plan;
  expect(find(parent, "id_map")).toMatchObject([{ denySetgroups }]);
  expect(find(stage, "dumpable")).toHaveLength(denySetgroups ? 2 : 0);
});

test("in a user namespace devices are bound, for nobody may make them there", () => {
  const { init } = compile(makeSpec(), PODMAN).plan;
  expect(find(init, "mknod")).toEqual([]);
  expect(find(init, "bind").map(({ target }) => target)).toContain("/dev/null");
});

test("rootless, a limit must be set, and rules of devices may fail, which need the host's root", () => {
  const resources = { pids: { limit: 9 }, devices: [{ allow: false, access: "rwm" }] };
  const options = { id: "c1", bundle: "/b", rootless: true };
  const { stage } = compileContainer(
    makeSpec({}, { resources }),
    { ...V2, inUserNamespace: true },
    options,
  ).plan;
  expect(find(stage, "device_filter")[0]?.ignore).toContain(1);
  expect(find(stage, "write").find(({ path }) => path.endsWith("/pids.max"))?.ignore).toBeUndefined();
});

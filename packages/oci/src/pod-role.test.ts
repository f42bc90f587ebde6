import { expect, test } from "vitest";
import { podRole } from "./pod-role.ts";

test("a container without annotations of a pod stands alone", () => {
  expect(podRole(undefined)).toEqual({ kind: "single" });
  expect(podRole({ "io.kubernetes.cri.sandbox-id": "s" })).toEqual({ kind: "single" });
});

test.each([
  ["io.kubernetes.cri.container-type", "sandbox", "container", "io.kubernetes.cri.sandbox-id"],
  ["io.kubernetes.cri-o.ContainerType", "sandbox", "container", "io.kubernetes.cri-o.SandboxID"],
  ["io.kubernetes.docker.type", "podsandbox", "container", "io.kubernetes.sandbox.id"],
])("%s tells the sandbox from its containers", (type, sandbox, container, sandboxId) => {
  expect(podRole({ [type]: sandbox })).toEqual({ kind: "sandbox" });
  expect(podRole({ [type]: container, [sandboxId]: "s-1" })).toEqual({ kind: "container", sandboxId: "s-1" });
});

test.each([
  [{ "io.kubernetes.cri.container-type": "pod" }, /container-type: "pod" is not sandbox or container/],
  [{ "io.kubernetes.cri.container-type": "container" }, /sandbox-id: is missing/],
  [
    { "io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.sandbox-id": "../x" },
    /sandbox-id: /,
  ],
])("%j is refused", (annotations, reason) => {
  expect(() => podRole(annotations)).toThrow(reason);
});

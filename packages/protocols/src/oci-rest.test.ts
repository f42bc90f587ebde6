import type * as oci from "@kata-containers/oci";
import { expect, test } from "vitest";
import { grpcToSpec, restOf, Spec, specToGrpc, withRest } from "./index.ts";

const SPEC: oci.Spec = {
  ociVersion: "1.2.0",
  process: {
    cwd: "/",
    scheduler: { policy: "SCHED_IDLE" },
    ioPriority: { class: "IOPRIO_CLASS_BE", priority: 6 },
  },
  linux: {
    personality: { domain: "LINUX32" },
    timeOffsets: { boottime: { secs: 9 } },
    resources: {
      cpu: { shares: 512, burst: 2000, idle: 1 },
      memory: { limit: 5, checkBeforeUpdate: true },
      unified: JSON.parse('{ "memory.high": "1", "__proto__": "2" }'),
    },
  },
};

test("what the messages have no field for comes out as it went in", () => {
  const sent = grpcToSpec(Spec.decode(Spec.encode(specToGrpc(SPEC))));
  expect(sent.linux?.personality).toBeUndefined();
  const { process, linux } = withRest(sent, restOf(SPEC));
  expect(linux).toEqual(SPEC.linux);
  expect(process).toMatchObject(SPEC.process ?? {});
});

test("of a spec that the messages carry whole there is no rest", () => {
  const spec: oci.Spec = {
    ociVersion: "1.2.0",
    process: { cwd: "/" },
    linux: { resources: { cpu: { shares: 2 } } },
  };
  expect(restOf(spec)).toBe("");
  expect(withRest(spec, "")).toBe(spec);
});

test.each([
  ['{"root.path":"/"}', '"root.path" is no member of it'],
  ['{"__proto__":{}}', '"__proto__" is no member of it'],
  ["[]", "no JSON object"],
  ["7", "no JSON object"],
  ["{", "no JSON object"],
])("%s is refused", (json, message) => {
  expect(() => withRest({ linux: {} }, json)).toThrow(message);
});

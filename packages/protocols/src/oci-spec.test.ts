import { create, toBinary } from "@bufbuild/protobuf";
import type * as oci from "@kata-containers/oci";
import { KataError } from "@kata-containers/sys";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as protocols from "./index.ts";
import { grpcToProcess, grpcToSpec, Process, restOf, Spec, specToGrpc } from "./index.ts";
import { type AnyCodec, arbitraryMessage } from "./testing/arbitrary-message.ts";
import { loadOracle } from "./testing/oracle.ts";

const roundTrip = (spec: oci.Spec) => grpcToSpec(Spec.decode(Spec.encode(specToGrpc(spec))));

/** Strings, numbers and lists that are not proto3 defaults: those cannot be told from missing ones. */
const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 });
const texts = fc.array(text, { minLength: 1, maxLength: 3 });
const uint = fc.integer({ min: 1, max: 0xffff_ffff });
const safe = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const limit = fc.oneof(fc.constant(-1), safe);
const yes = fc.constant(true);
const some = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: 1, maxLength: 3 });
/** An object of which every member but the required ones may be missing. */
const partial = <T extends object>(
  shape: { [K in keyof T]: fc.Arbitrary<T[K]> },
  required: (keyof T)[] = [],
) => fc.record(shape, { requiredKeys: required, noNullPrototype: true });
const words = fc.dictionary(text, text, { minKeys: 1, maxKeys: 3, noNullPrototype: true });

const hook = partial({ path: text, args: texts, env: texts, timeout: safe }, ["path"]);
const hooks = some(hook);
const mapping = partial({ containerID: fc.nat(), hostID: fc.nat(), size: fc.nat() }, [
  "containerID",
  "hostID",
  "size",
]);
const throttle = some(partial({ major: fc.nat(), minor: fc.nat(), rate: safe }, ["major", "minor", "rate"]));
/** 0 and absent are the same on the wire. */
const uint64 = fc.bigInt(1n, (1n << 64n) - 1n).map((value) => (value < 2n ** 53n ? Number(value) : value));
const seccompArg = partial({ index: fc.nat(5), value: uint64, valueTwo: uint64, op: text }, [
  "index",
  "value",
  "op",
]);

const process = partial(
  {
    terminal: yes,
    consoleSize: partial({ height: uint, width: uint }, ["height", "width"]),
    user: partial(
      { uid: fc.nat(), gid: fc.nat(), additionalGids: some(fc.nat()), username: text, umask: fc.nat(0o777) },
      ["uid", "gid"],
    ),
    args: texts,
    env: texts,
    cwd: text,
    capabilities: partial(
      { bounding: texts, effective: texts, inheritable: fc.constant([]), permitted: texts, ambient: texts },
      ["bounding", "effective", "inheritable", "permitted", "ambient"],
    ),
    rlimits: some(partial({ type: text, hard: limit, soft: limit }, ["type", "hard", "soft"])),
    noNewPrivileges: yes,
    apparmorProfile: text,
    oomScoreAdj: fc.integer({ min: 1, max: 1000 }),
    selinuxLabel: text,
  },
  ["cwd", "user"],
);

const resources = partial({
  devices: some(
    partial(
      {
        allow: fc.boolean(),
        type: fc.constantFrom("b", "c"),
        major: fc.nat(),
        minor: fc.nat(),
        access: text,
      },
      ["allow", "type"],
    ),
  ),
  memory: partial({
    limit,
    reservation: limit,
    swap: limit,
    kernel: limit,
    kernelTCP: limit,
    swappiness: fc.integer({ min: 1, max: 100 }),
    disableOOMKiller: yes,
  }),
  cpu: partial({
    shares: safe,
    quota: limit,
    period: safe,
    realtimeRuntime: safe,
    realtimePeriod: safe,
    cpus: text,
    mems: text,
  }),
  pids: partial({ limit: fc.integer() }, ["limit"]),
  blockIO: partial({
    weight: uint,
    leafWeight: uint,
    weightDevice: some(
      partial({ major: fc.nat(), minor: fc.nat(), weight: uint, leafWeight: uint }, ["major", "minor"]),
    ),
    throttleReadBpsDevice: throttle,
    throttleWriteBpsDevice: throttle,
    throttleReadIOPSDevice: throttle,
    throttleWriteIOPSDevice: throttle,
  }),
  hugepageLimits: some(partial({ pageSize: text, limit: safe }, ["pageSize", "limit"])),
  network: partial({
    classID: uint,
    priorities: some(partial({ name: text, priority: uint }, ["name", "priority"])),
  }),
});

const linux = partial({
  uidMappings: some(mapping),
  gidMappings: some(mapping),
  sysctl: words,
  resources,
  cgroupsPath: text,
  namespaces: some(partial({ type: fc.constantFrom("pid", "mount", "user"), path: text }, ["type"])),
  devices: some(
    partial(
      {
        path: text,
        type: fc.constant("c"),
        major: fc.nat(),
        minor: fc.nat(),
        fileMode: uint,
        uid: uint,
        gid: uint,
      },
      ["path", "type", "major", "minor"],
    ),
  ),
  seccomp: partial(
    {
      defaultAction: text,
      defaultErrnoRet: fc.nat(),
      architectures: texts,
      flags: texts,
      syscalls: some(
        partial({ names: texts, action: text, errnoRet: fc.nat(), args: some(seccompArg) }, [
          "names",
          "action",
        ]),
      ),
    },
    ["defaultAction"],
  ),
  rootfsPropagation: text,
  maskedPaths: texts,
  readonlyPaths: texts,
  mountLabel: text,
  intelRdt: partial({ l3CacheSchema: text }),
});

const specs = partial(
  {
    ociVersion: text,
    process,
    root: partial({ path: text, readonly: yes }, ["path"]),
    hostname: text,
    domainname: text,
    mounts: some(partial({ destination: text, type: text, source: text, options: texts }, ["destination"])),
    hooks: partial({
      prestart: hooks,
      createRuntime: hooks,
      createContainer: hooks,
      startContainer: hooks,
      poststart: hooks,
      poststop: hooks,
    }),
    annotations: words,
    linux,
  },
  ["ociVersion"],
);

describe("an OCI spec through the agent's protocol", () => {
  it("comes out as it went in", () => {
    fc.assert(
      fc.property(specs, (spec) => {
        expect(restOf(spec)).toBe("");
        expect(roundTrip(spec)).toEqual(spec);
      }),
      { numRuns: 300 },
    );
  });

  it("of any message that an upstream runtime may send is stable", () => {
    const codecs = new Map<string, AnyCodec>();
    for (const one of Object.values(protocols)) {
      if (one instanceof protocols.Codec) codecs.set(one.typeName, one as unknown as AnyCodec);
    }
    const type = loadOracle().getMessage("grpc.Spec");
    if (!type) throw new Error("no grpc.Spec");
    fc.assert(
      fc.property(arbitraryMessage(type, codecs), (init) => {
        let spec: oci.Spec;
        try {
          spec = grpcToSpec(Spec.decode(toBinary(type, create(type, init))));
        } catch (error) {
          expect(error).toMatchObject({ code: "InvalidArgument" }); // a namespace that cannot be
          return;
        }
        expect(roundTrip(spec)).toEqual(spec);
      }),
      { numRuns: 300 },
    );
  });

  it("keeps no limit as no limit, and every device number as every one", () => {
    const message = Spec.encode({
      Process: { Cwd: "/", Rlimits: [{ Type: "RLIMIT_NOFILE", Hard: (1n << 64n) - 1n, Soft: 5n }] },
      Linux: {
        Resources: {
          Memory: { Limit: 9223372036854771712n, Swappiness: (1n << 64n) - 1n },
          Devices: [{ Allow: false, Access: "rwm" }],
        },
      },
    });
    const spec = grpcToSpec(Spec.decode(message));
    expect(spec.process?.rlimits).toEqual([{ type: "RLIMIT_NOFILE", hard: -1, soft: 5 }]);
    expect(spec.linux?.resources?.memory).toEqual({ limit: -1 });
    expect(spec.linux?.resources?.devices).toEqual([{ allow: false, access: "rwm" }]);
  });

  it("refuses what cannot be a container's", () => {
    expect(() => grpcToProcess(Process.empty())).toThrow(KataError);
    const type = Spec.decode(Spec.encode({ Linux: { Namespaces: [{ Type: "moon" }] } }));
    expect(() => grpcToSpec(type)).toThrow('namespace of type "moon"');
  });
});

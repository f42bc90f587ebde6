import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { KataError } from "@kata-containers/sys";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  AddSwapRequest,
  CreateContainerRequest,
  CreateSandboxRequest,
  LinuxSyscall,
  MemHotplugByProbeRequest,
  MemoryStats,
  POSIXRlimit,
  SetGuestDateTimeRequest,
  Spec,
  StartContainerRequest,
  User,
  WaitProcessResponse,
} from "./index.ts";

const bytes = (...values: number[]) => new Uint8Array(values);

function invalid(decode: () => unknown): string {
  try {
    decode();
  } catch (error) {
    expect(error).toBeInstanceOf(KataError);
    expect(error).toMatchObject({ code: "InvalidArgument" });
    return error instanceof Error ? error.message : "";
  }
  throw new Error("was accepted");
}

describe("a decoder", () => {
  it("gives every field its default", () => {
    expect(Spec.decode(bytes())).toEqual(Spec.empty());
    expect(Spec.empty()).toMatchObject({
      Version: "",
      Process: undefined,
      Mounts: [],
      Annotations: new Map(),
    });
  });

  it("refuses a varint that is cut short, or has more than 64 bits", () => {
    expect(invalid(() => WaitProcessResponse.decode(bytes(8)))).toBe(
      "grpc.WaitProcessResponse: field 1: cut short (byte 1)",
    );
    invalid(() => WaitProcessResponse.decode(bytes(8, 0x80, 0x80)));
    invalid(() => WaitProcessResponse.decode(bytes(8, ...Array(10).fill(0xff), 1)));
    invalid(() => WaitProcessResponse.decode(bytes(8, ...Array(9).fill(0xff), 2)));
    expect(WaitProcessResponse.decode(bytes(8, ...Array(9).fill(0xff), 1)).status).toBe(-1);
  });

  it("refuses a length past the end, of the message or of the message around", () => {
    invalid(() => StartContainerRequest.decode(bytes(10, 3, 97, 98)));
    invalid(() => StartContainerRequest.decode(bytes(10, 0xff, 0xff, 0xff, 0xff, 0x0f)));
    // Root (field 3 of Spec) of 2 bytes, with a string of 5: the bytes exist, but outside of it.
    invalid(() => Spec.decode(bytes(26, 2, 10, 5, 97, 98, 99, 100, 101)));
  });

  it("refuses a wire type that is not the field's", () => {
    expect(invalid(() => StartContainerRequest.decode(bytes(8, 1)))).toContain("wire type 0 where 2 belongs");
    invalid(() => WaitProcessResponse.decode(bytes(13, 0, 0, 0, 0)));
    invalid(() => WaitProcessResponse.decode(bytes(15)));
  });

  it("refuses field number 0, and a tag of more than 32 bits", () => {
    invalid(() => StartContainerRequest.decode(bytes(2, 0)));
    invalid(() => StartContainerRequest.decode(bytes(0xfa, 0xff, 0xff, 0xff, 0xff, 1, 0)));
  });

  it("refuses a string that is not UTF-8, and keeps a byte order mark", () => {
    expect(invalid(() => StartContainerRequest.decode(bytes(10, 1, 0xff)))).toContain("not UTF-8");
    expect(StartContainerRequest.decode(bytes(10, 3, 0xef, 0xbb, 0xbf)).containerId).toBe("\ufeff");
  });

  it("refuses an integer that a number cannot hold", () => {
    const past = bytes(8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10); // 2^53
    expect(invalid(() => SetGuestDateTimeRequest.decode(past))).toContain("past 2^53 - 1");
    expect(SetGuestDateTimeRequest.decode(SetGuestDateTimeRequest.encode({ Sec: -1 })).Sec).toBe(-1);
  });

  it("skips fields that it does not know, groups too", () => {
    const unknown = [
      0xf8, 0x7f, 5, 0xf9, 0x7f, 1, 2, 3, 4, 5, 6, 7, 8, 0xfa, 0x7f, 2, 9, 9, 0xfd, 0x7f, 1, 2, 3, 4,
    ];
    const group = [0xfb, 0x7f, 0x0b, 0x0c, 8, 1, 0xfc, 0x7f];
    expect(StartContainerRequest.decode(bytes(...unknown, ...group, 10, 1, 97)).containerId).toBe("a");
    invalid(() => StartContainerRequest.decode(bytes(0xfb, 0x7f, 8, 1)));
    invalid(() => StartContainerRequest.decode(bytes(0xfb, 0x7f, 0x0c)));
    invalid(() => StartContainerRequest.decode(new Uint8Array(10_000).fill(0x0b + 0x70)));
  });

  it("takes lists of numbers packed, not packed, and mixed", () => {
    expect(AddSwapRequest.decode(bytes(10, 2, 1, 2, 8, 3, 10, 1, 4)).PCIPath).toEqual([1, 2, 3, 4]);
    invalid(() => AddSwapRequest.decode(bytes(10, 2, 1, 0x80)));
    expect(MemHotplugByProbeRequest.decode(bytes(8, 7)).memHotplugProbeAddr).toEqual([7]);
  });

  it("merges a message that comes twice, and lets the last scalar win", () => {
    expect(Spec.decode(bytes(26, 3, 10, 1, 97, 26, 2, 16, 1)).Root).toEqual({ Path: "a", Readonly: true });
    expect(User.decode(bytes(8, 1, 8, 2)).UID).toBe(2);
  });

  it("holds a map key like __proto__", () => {
    const spec = Spec.decode(Spec.encode({ Annotations: new Map([["__proto__", "x"]]) }));
    expect([...spec.Annotations]).toEqual([["__proto__", "x"]]);
    expect(MemoryStats.decode(bytes(50, 0)).stats).toEqual(new Map([["", 0n]]));
  });

  it("tells a oneof's zero from its absence", () => {
    expect(LinuxSyscall.decode(bytes()).errnoret).toBeUndefined();
    expect(LinuxSyscall.decode(LinuxSyscall.encode({ errnoret: 0 })).errnoret).toBe(0);
  });

  it("bounds what it makes: small input cannot become large memory", () => {
    const flood = new Uint8Array(2 * 70_000);
    for (let at = 0; at < flood.length; at += 2) flood[at] = 34; // CreateContainerRequest.devices, empty
    expect(invalid(() => CreateContainerRequest.decode(flood))).toContain("more than 65536 elements");
    const packed = new Uint8Array(70_004).fill(1);
    packed.set([10, 0xf0, 0xa2, 4]);
    invalid(() => AddSwapRequest.decode(packed));
  });

  it("answers any bytes with a message or InvalidArgument, and nothing else", () => {
    const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 0x7fff_ffff);
    console.log(`codec fuzz seed ${seed}`);
    const sample = CreateContainerRequest.encode({
      containerId: "c1",
      storages: [{ driver: "virtio-fs", options: ["a", "b"], fsGroup: { groupId: 5 } }],
      OCI: {
        Process: { Args: ["sh"], User: { AdditionalGids: [1, 300] } },
        Annotations: new Map([["k", "v"]]),
      },
    });
    const mutated = fc
      .array(fc.tuple(fc.nat(sample.length - 1), fc.nat(255)), { maxLength: 6 })
      .map((edits) => edits.reduce((copy, [at, value]) => copy.fill(value, at, at + 1), sample.slice()));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated), (input) => {
        for (const codec of [CreateContainerRequest, CreateSandboxRequest, Spec]) {
          try {
            codec.decode(input);
          } catch (error) {
            if (!(error instanceof KataError) || error.code !== "InvalidArgument") throw error;
          }
        }
      }),
      { numRuns: 10_000, seed },
    );
  });
});

describe("an encoder", () => {
  it("refuses an integer that does not fit its field", () => {
    expect(invalid(() => User.encode({ UID: -1 }))).toBe("grpc.User: field 1: -1 is not uint32");
    invalid(() => User.encode({ UID: 2 ** 32 }));
    invalid(() => User.encode({ UID: 0.5 }));
    invalid(() => WaitProcessResponse.encode({ status: 2 ** 31 }));
    invalid(() => SetGuestDateTimeRequest.encode({ Sec: 2 ** 53 }));
    invalid(() => POSIXRlimit.encode({ Hard: 1n << 64n }));
    invalid(() => POSIXRlimit.encode({ Hard: -1n }));
  });

  it("is whole again after a message that it refused", () => {
    invalid(() => Spec.encode({ Version: "1.0", Process: { User: { UID: -1 } } }));
    expect(Spec.decode(Spec.encode({ Version: "2.0" })).Version).toBe("2.0");
  });

  it("gives bytes that a later message does not change", () => {
    const first = StartContainerRequest.encode({ containerId: "first" });
    StartContainerRequest.encode({ containerId: "other" });
    expect(StartContainerRequest.decode(first).containerId).toBe("first");
  });

  it("writes nested messages of every length", () => {
    for (const length of [0, 1, 127, 128, 16_383, 16_384, 300_000]) {
      const spec = Spec.encode({ Root: { Path: "x".repeat(length) }, Hostname: "h" });
      expect(Spec.decode(spec)).toMatchObject({ Root: { Path: "x".repeat(length) }, Hostname: "h" });
    }
  });
});

it("the generated files are current", () => {
  execFileSync(process.execPath, [join(import.meta.dirname, "../scripts/generate.mjs"), "--check"]);
});

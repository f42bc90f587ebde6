import { Any, BootstrapParams, BootstrapResult, RuntimeOptions } from "@kata-containers/protocols";
import { describe, expect, it } from "vitest";
import { startAnswer } from "./bootstrap.ts";

const ADDRESS = "unix:///run/containerd/s/abc";
const args = { id: "c1", namespace: "default" };
const answer = (input: Uint8Array) => startAnswer(args, input, ADDRESS);

describe("the answer to start", () => {
  it("is a message with version 3 of the Task service for who says by a message what it starts", () => {
    const said = answer(BootstrapParams.encode({ instanceId: "c1", namespace: "default", logLevel: -4 }));
    if (typeof said === "string") throw new Error(said);
    expect(BootstrapResult.decode(said)).toMatchObject({ version: 3, address: ADDRESS, protocol: "ttrpc" });
  });

  it("is the address for who says nothing, or gives options, as older containerds do", () => {
    const options = {
      typeUrl: "runtimeoptions.v1.Options",
      value: RuntimeOptions.encode({ configPath: "/c" }),
    };
    expect(answer(new Uint8Array(0))).toBe(ADDRESS);
    expect(answer(Any.encode(options))).toBe(ADDRESS);
  });

  it("is the address for what is no message, and for another task's", () => {
    expect(answer(new TextEncoder().encode("{}"))).toBe(ADDRESS);
    expect(answer(BootstrapParams.encode({ instanceId: "c2", namespace: "default" }))).toBe(ADDRESS);
    expect(answer(BootstrapParams.encode({ instanceId: "c1", namespace: "other" }))).toBe(ADDRESS);
  });
});

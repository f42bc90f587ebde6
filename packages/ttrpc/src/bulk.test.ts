import { AgentService, TtrpcRequest, TtrpcResponse } from "@kata-containers/protocols";
import { describe, expect, it } from "vitest";
import { locateBulk, splitField } from "./bulk.ts";

const data = new Uint8Array(50_000).fill(7);
const write = AgentService.WriteStdin.request;
const payload = write.encode({ containerId: "c", execId: "e", data });
const request = TtrpcRequest.encode({ service: "s", method: "m", payload, timeoutNano: 60_000_000_000 });

describe("the bulk field of a frame", () => {
  it("is found from the frame's first bytes, with what is around it", () => {
    const place = locateBulk(request.subarray(0, 512), request.length, 3, 3);
    if (!place) throw new Error("not found");
    expect(request.subarray(place.start, place.start + place.length)).toEqual(data);
    expect(write.decode(place.inner)).toEqual({ containerId: "c", execId: "e", data: new Uint8Array(0) });
    const tail = request.subarray(request.length - place.tail);
    const outer = TtrpcRequest.decode(new Uint8Array([...place.outer, ...tail]));
    expect(outer).toMatchObject({ service: "s", method: "m", timeoutNano: 60_000_000_000 });
  });

  it("is not one when it lies behind the bytes at hand, or is not its message's last", () => {
    expect(locateBulk(request.subarray(0, 8), request.length, 3, 3)).toBeUndefined();
    const early = new Uint8Array([...write.encode({ data }), ...write.encode({ execId: "e" })]);
    const frame = TtrpcRequest.encode({ payload: early });
    expect(locateBulk(frame.subarray(0, 512), frame.length, 3, 3)).toBeUndefined();
    expect(splitField(early, 3)).toEqual({ rest: write.encode({ execId: "e" }), value: data });
  });

  it("is not one when lengths do not add up, or a status comes instead of a payload", () => {
    expect(locateBulk(request.subarray(0, 512), request.length - 1000, 3, 3)).toBeUndefined();
    const status = TtrpcResponse.encode({ status: { code: 5, message: "x".repeat(5000) } });
    expect(locateBulk(status.subarray(0, 512), status.length, 2, 1)).toBeUndefined();
    expect(locateBulk(new Uint8Array(512).fill(0xff), 5000, 2, 1)).toBeUndefined();
  });

  it("that is missing is empty", () => {
    const rest = write.encode({ execId: "e" });
    expect(splitField(rest, 3)).toEqual({ rest, value: new Uint8Array(0) });
  });
});

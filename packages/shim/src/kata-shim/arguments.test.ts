import { describe, expect, it } from "vitest";
import { parseShimArguments } from "./arguments.ts";

const common = ["--socket", "/s", "--id", "c"];

describe("parseShimArguments", () => {
  it("reads a container's first process, with volumes in their order", () => {
    const volumes = ["--volume", "4:/data", "--volume", "5:/a:b"];
    expect(parseShimArguments([...common, "--terminal", "--rootfs-fd", "3", ...volumes])).toEqual({
      socket: "/s",
      id: "c",
      execId: "",
      terminal: true,
      view: {
        kind: "build",
        rootfsFd: 3,
        volumes: [
          { treeFd: 4, destination: "/data" },
          { treeFd: 5, destination: "/a:b" },
        ],
      },
    });
  });

  it("reads another process, which joins", () => {
    const { execId, view } = parseShimArguments([...common, "--exec-id", "e", "--mount-namespace-fd", "3"]);
    expect({ execId, view }).toEqual({ execId: "e", view: { kind: "join", mountNamespaceFd: 3 } });
  });

  it.each([
    [[...common], "--rootfs-fd"],
    [["--socket", "/s", "--rootfs-fd", "3"], "--id"],
    [[...common, "--rootfs-fd", "x"], "x"],
    [[...common, "--rootfs-fd", "3", "--volume", "4:data"], "--volume 4:data"],
    [[...common, "--rootfs-fd", "3", "--other", "4"], "--other"],
    [[...common, "--rootfs-fd"], "--rootfs-fd"],
  ])("refuses %j by name", (argv, name) => {
    expect(() => parseShimArguments(argv)).toThrow(`bad or missing argument ${name}`);
  });
});

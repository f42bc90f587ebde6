import { expect, test } from "vitest";
import { checkShimArguments, parseShimArguments } from "./arguments.ts";

const given = [
  "-namespace",
  "k8s.io",
  "-address",
  "/run/c.sock",
  "-publish-binary",
  "/bin/containerd",
  "-id",
  "c1",
];

test("reads what containerd gives, in each of Go's spellings", () => {
  const parsed = {
    verb: "start",
    namespace: "k8s.io",
    address: "/run/c.sock",
    publishBinary: "/bin/containerd",
    id: "c1",
    bundle: undefined,
    debug: false,
  };
  expect(parseShimArguments([...given, "start"])).toEqual(parsed);
  expect(parseShimArguments([...given, "-debug", "start"])).toEqual({ ...parsed, debug: true });
  expect(parseShimArguments([...given, "--debug=false", "--bundle=/b", "delete"])).toEqual({
    ...parsed,
    verb: "delete",
    bundle: "/b",
  });
  expect(parseShimArguments(given).verb).toBe("serve");
});

test("-info, -v and -h go before any verb", () => {
  expect(parseShimArguments(["-info"]).verb).toBe("info");
  expect(parseShimArguments(["--version"]).verb).toBe("version");
  expect(parseShimArguments(["-v", "-info", "start"]).verb).toBe("version");
  expect(parseShimArguments(["-h"]).verb).toBe("help");
});

test.each([
  [["-x"], /-x: unknown option/],
  [["-id"], /-id: needs a value/],
  [["-debug=maybe"], /neither true nor false/],
  [["restart"], /restart: is no command/],
  [["start", "-id", "x"], /nothing follows start/],
  [["-socket", "/s", "start"], /-socket: is not supported/],
])("%j is refused", (args, reason) => {
  expect(() => parseShimArguments(args)).toThrow(reason);
});

test.each([
  [{ namespace: "" }, "shim namespace cannot be empty"],
  [{ namespace: "../x" }, "is no identifier"],
  [{ namespace: "n".repeat(77) }, "is no identifier"],
  [{ id: "" }, "container id cannot be empty"],
  [{ id: "a/b" }, "invalid container ID"],
])("%j is none", (wrong, reason) => {
  const args = { ...parseShimArguments([...given, "start"]), ...wrong };
  expect(() => checkShimArguments(args)).toThrow(reason);
});

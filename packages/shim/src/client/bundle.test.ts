import { setOps } from "@kata-containers/sys";
import { afterEach, describe, expect, it } from "vitest";
import { fakeFiles } from "../testing/fake-files.ts";
import { recordOps } from "../testing/fake-ops.ts";
import { readBundle } from "./bundle.ts";

afterEach(() => setOps(undefined));

const process = { args: ["true"], cwd: "/", user: { uid: 0, gid: 0 } };
const spec = { ociVersion: "1.0.2", process, root: { path: "rootfs" }, linux: {} };

function read(config: unknown, more: Readonly<Record<string, string>> = {}) {
  const text = typeof config === "string" ? config : JSON.stringify(config);
  recordOps(fakeFiles({ "/b": "dir", "/b/config.json": text, "/b/rootfs": "dir", ...more }));
  return readBundle("/b");
}

describe("readBundle", () => {
  it("gives the root file system's and volumes' paths as seen from the bundle", () => {
    const mounts = [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/data/", type: "bind", source: "vol", options: ["rbind", "ro"] },
      { destination: "/etc/hosts", source: "/h", options: ["bind", "rro", "rw"] },
    ];
    const bundle = read({ ...spec, mounts }, { "/b/vol": "dir", "/h": "text" });
    expect(bundle.rootfs).toBe("/b/rootfs");
    expect(bundle.volumes).toEqual([
      { index: 1, source: "/b/vol", destination: "/data", directory: true, recursive: true, readonly: "ro" },
      {
        index: 2,
        source: "/h",
        destination: "/etc/hosts",
        directory: false,
        recursive: false,
        readonly: "rro",
      },
    ]);
  });

  it.each([
    ["{", /^\/b\/config\.json: is not JSON/],
    [{ ...spec, process: undefined }, "/b/config.json: process: is missing"],
    [{ ...spec, root: undefined }, "/b/config.json: root: is missing"],
    [{ ...spec, root: { path: "/elsewhere" } }, "rootfs /elsewhere: no such file or directory"],
    [
      { ...spec, mounts: [{ destination: "/d", type: "bind", source: "/gone" }] },
      "source of mount /d /gone: no such file or directory",
    ],
  ])("refuses %j", (config, message) => {
    expect(() => read(config)).toThrow(message);
  });

  it("does not wait for a config.json that is no file", () => {
    recordOps(fakeFiles({ "/b": "dir", "/b/config.json": "dir" }));
    expect(() => readBundle("/b")).toThrow("/b/config.json: is not a regular file");
  });

  it("says in runc's words that there is no config.json", () => {
    recordOps(fakeFiles({ "/b": "dir" }));
    expect(() => readBundle("/b")).toThrow("JSON specification file /b/config.json not found");
  });
});

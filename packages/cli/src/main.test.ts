import { SysError, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { commands } from "./commands.ts";
import { main } from "./main.ts";
import { noFiles, useOps } from "./testing/fake-ops.ts";

let written: { fd: number; text: string }[] = [];
let user = 0;
let entries: string[] = [];

beforeEach(() => {
  written = [];
  user = 0;
  entries = [];
  useOps({
    ...noFiles(),
    geteuid: () => user,
    readdir: () => entries.map((name) => ({ name, type: "dir", ino: 1 })),
    readFile: (path) => {
      if (entries.length > 0) return new TextEncoder().encode("no record");
      throw new SysError("ENOENT", "open", path);
    },
    readlink: () => "/cwd",
    sha256: () => new Uint8Array(32),
    open: (path, flags) => {
      if (path.startsWith("/no/")) throw new SysError("ENOENT", "open", path);
      written.push({ fd: -1, text: `open ${path} ${flags.toString(8)}` });
      return 50;
    },
    close: () => {},
    getpid: () => 1,
    realtimeMs: () => 0,
    writeSync: (fd, bytes) => void written.push({ fd, text: new TextDecoder().decode(bytes) }),
  });
});

afterEach(() => setOps(undefined));

const textOn = (fd: number) =>
  written
    .filter((each) => each.fd === fd)
    .map(({ text }) => text)
    .join("");

describe("kata-runtime", () => {
  it("prints its version without reading anything", async () => {
    expect(await main(["kata-runtime", "--version"], commands)).toBe(0);
    expect(textOn(1)).toMatch(/^kata-runtime {2}: .*\n {3}commit {3}: .*\n {3}OCI specs: .*\n$/);
    expect(written).toHaveLength(1);
    const version = textOn(1);
    written = [];
    expect(await main(["kata-runtime", "version"], commands)).toBe(0);
    expect(textOn(1)).toBe(version);
  });

  it("prints help when nothing is asked", async () => {
    expect(await main(["kata-runtime"], commands)).toBe(0);
    expect(textOn(1)).toContain("Usage: kata-runtime");
    expect(await main(["kata-runtime", "kill", "--help"], commands)).toBe(0);
    expect(textOn(1)).toContain("Usage: kata-runtime kill");
  });

  it.each(["help", "h"])("prints with %s what --help prints, also of a command", async (help) => {
    const printed = async (...words: string[]) => {
      written = [];
      expect(await main(["kata-runtime", ...words], commands)).toBe(0);
      return textOn(1);
    };
    expect(await printed(help)).toBe(await printed("--help"));
    expect(await printed(help, "kill")).toBe(await printed("kill", "--help"));
    expect(await printed(help, "kata-check")).toBe(await printed("check", "--help"));
    expect(await main(["kata-runtime", help, "bogus"], commands)).toBe(1);
    expect(textOn(2)).toBe('kata-runtime: Invalid command "bogus" (see kata-runtime --help)\n');
  });

  it("tells an error in one line on standard error, and exits with 1", async () => {
    expect(await main(["kata-runtime", "bogus"], commands)).toBe(1);
    expect(textOn(2)).toBe('kata-runtime: Invalid command "bogus" (see kata-runtime --help)\n');
  });

  it("tells an error in a JSON log too, with the fields that containerd reads", async () => {
    const globals = ["--root", "/r", "--log", "/log.json", "--log-format", "json"];
    expect(await main(["kata-runtime", ...globals, "state", "x"], commands)).toBe(1);
    expect(JSON.parse(textOn(50))).toMatchObject({
      level: "error",
      msg: 'container "x" does not exist',
      time: expect.any(String),
    });
  });

  it.each([
    [["--rootless", "maybe", "--log", "/log.json", "--log-format", "json"], /^--rootless: "maybe" is not/],
    [["--log", "/log.json", "--log-format=json", "--bogus"], /^unknown option --bogus/],
    [["--log", "/log.json", "--log-format", "json", "--rootless", "true"], /^--rootless true: /],
    [["--log-format", "json", "--log", "/log.json", "--root"], /^option --root needs a value/],
  ])("tells what is wrong with global options in the log that they name: %j", async (globals, message) => {
    const words = globals.at(-1) === "--root" ? [] : ["state", "x"];
    expect(await main(["kata-runtime", ...globals, ...words], commands)).toBe(1);
    expect(JSON.parse(textOn(50))).toMatchObject({ level: "error", msg: expect.stringMatching(message) });
    expect(textOn(2)).toMatch(/^kata-runtime: [^\n]+\n$/);
  });

  it("tells what is wrong with global options on standard error alone when their log cannot be written", async () => {
    expect(await main(["kata-runtime", "--bogus", "--log", "/no/log", "list"], commands)).toBe(1);
    expect(textOn(2)).toBe("kata-runtime: unknown option --bogus (see kata-runtime --help)\n");
  });

  it("takes the --criu of runc's callers", async () => {
    expect(await main(["kata-runtime", "--criu", "/usr/sbin/criu", "list", "--quiet"], commands)).toBe(0);
    expect(textOn(2)).toBe("");
  });

  it("does not begin without the log that it is told to write, though all else is well", async () => {
    const globals = ["--log", "/no/log"];
    expect(await main(["kata-runtime", ...globals, "list"], commands)).toBe(1);
    expect(textOn(2)).toBe(
      "kata-runtime: cannot open the log: open /no/log: ENOENT: no such file or directory\n",
    );
    expect(textOn(1)).toBe("");
  });

  it("tells of a container that list cannot read in the log, too", async () => {
    entries = ["broken"];
    expect(await main(["kata-runtime", "--log", "/log.json", "--log-format", "json", "list"], commands)).toBe(
      0,
    );
    expect(JSON.parse(textOn(50))).toMatchObject({ level: "warning", msg: expect.stringMatching(/^list: /) });
    expect(textOn(2)).toMatch(/^kata-runtime: warning: list: .*\n$/);
  });

  it("tells a user who is not root that it needs root, but for the commands that need no sandbox, and help", async () => {
    user = 1000;
    for (const command of ["create", "run", "list", "state", "delete"]) {
      written = [];
      const words = command === "list" ? [] : ["x"];
      expect(await main(["kata-runtime", command, ...words], commands)).toBe(1);
      expect(textOn(2)).toBe(
        `kata-runtime: ${command}: a sandbox needs root on the host, for its network namespace, mounts and cgroups\n`,
      );
    }
    expect(await main(["kata-runtime", "create", "--help"], commands)).toBe(0);
    const free = commands.filter((command) => "anyUser" in command).map(({ name }) => name);
    expect(free).toEqual(["spec", "features", "check", "env", "version"]);
  });

  it("lists nothing when there is no state", async () => {
    expect(await main(["kata-runtime", "list"], commands)).toBe(0);
    expect(textOn(1)).toBe("ID          PID         STATUS      BUNDLE      CREATED     OWNER\n");
    written = [];
    expect(await main(["kata-runtime", "list", "-f", "json"], commands)).toBe(0);
    expect(textOn(1)).toBe("null\n");
  });

  it("finds nothing wrong with deleting by force what is not there", async () => {
    expect(await main(["kata-runtime", "delete", "--force", "x"], commands)).toBe(0);
    expect(await main(["kata-runtime", "delete", "x"], commands)).toBe(1);
  });
});

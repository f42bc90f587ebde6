import { type Ops, SysError, setOps } from "@kata-containers/sys";
import { afterEach, describe, expect, it } from "vitest";
import { checkFiles, loadConfig } from "./load.ts";
import { parseConfig } from "./parse.ts";

/** A file system of the given texts; every other path is absent. */
function fakeFiles(
  files: Readonly<Record<string, string | undefined>>,
  env: readonly string[] = [],
): Partial<Ops> {
  const read = (path: string, syscall: string) => {
    const text = files[path];
    if (text === undefined) throw new SysError("ENOENT", syscall, path);
    return text;
  };
  return {
    env: () => [...env],
    utf8Decode: (bytes) => new TextDecoder().decode(bytes),
    readFile: (path) => new TextEncoder().encode(read(path, "open")),
    stat: (path) => ({ ...emptyStat, mode: read(path, "stat") === "dir" ? 0o040755 : 0o100644 }),
  };
}

const emptyStat = {
  dev: 0,
  ino: 0,
  mode: 0,
  nlink: 1,
  uid: 0,
  gid: 0,
  rdev: 0,
  size: 0,
  mtimeMs: 0,
  blocks: 0,
};

function use(fake: Partial<Ops>): void {
  setOps(
    new Proxy(Object.create(null), {
      get: (_, op) => {
        const found = Reflect.get(fake, op);
        if (found === undefined) throw new Error(`the fake has no op ${String(op)}`);
        return found;
      },
    }),
  );
}

afterEach(() => setOps(undefined));

describe("loadConfig", () => {
  const etc = "/etc/kata-containers/configuration.toml";
  const share = "/usr/share/defaults/kata-containers/configuration.toml";

  it("takes the file that is named before all others", () => {
    use(fakeFiles({ "/a.toml": "", "/b.toml": "", [etc]: "" }, ["KATA_CONF_FILE=/b.toml"]));
    expect(loadConfig("/a.toml").path).toBe("/a.toml");
  });

  it("takes KATA_CONF_FILE's before the default paths", () => {
    use(fakeFiles({ "/b.toml": "", [etc]: "" }, ["KATA_CONF_FILE=/b.toml"]));
    expect(loadConfig().path).toBe("/b.toml");
  });

  it("takes /etc before /usr/share", () => {
    use(fakeFiles({ [etc]: "", [share]: "" }));
    expect(loadConfig().path).toBe(etc);
    use(fakeFiles({ [share]: "" }));
    expect(loadConfig().path).toBe(share);
  });

  it("names every path that it searched when there is none", () => {
    use(fakeFiles({}));
    expect(() => loadConfig()).toThrow(
      `no configuration file: searched ${etc} and ${share} (name one by --config or KATA_CONF_FILE)`,
    );
  });

  it("does not fall back when the named file is absent", () => {
    use(fakeFiles({ [etc]: "" }));
    expect(() => loadConfig("/a.toml")).toThrow("cannot read the configuration: open /a.toml: ENOENT");
  });
});

describe("checkFiles", () => {
  const files = { "/q": "", "/k": "", "/i": "", "/v": "", "/dev/urandom": "", "/l": "", "/s": "", "/ks": "" };
  const config = parseConfig(
    `[hypervisor.qemu]\npath="/q"\nkernel="/k"\ninitrd="/i"\nvirtio_fs_daemon="/v"\n[runtime]\nlaunch_path="/l"\nshim_path="/s"\nkata_shim_path="/ks"`,
    "/c.toml",
  );

  it("accepts a configuration whose files are all there", () => {
    use(fakeFiles(files));
    checkFiles(config);
  });

  it("names the path, the key and the file when one is missing", () => {
    use(fakeFiles({ ...files, "/k": undefined }));
    expect(() => checkFiles(config)).toThrow("/k: no such file (key kernel of [hypervisor.qemu] in /c.toml)");
  });

  it("refuses a directory", () => {
    use(fakeFiles({ ...files, "/i": "dir" }));
    expect(() => checkFiles(config)).toThrow(
      "/i: is a directory (key initrd of [hypervisor.qemu] in /c.toml)",
    );
  });
});

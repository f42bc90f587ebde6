import { setOps } from "@kata-containers/sys";
import { afterEach, describe, expect, it } from "vitest";
import { checkFiles, loadConfig } from "./load.ts";
import { parseConfig } from "./parse.ts";
import { type FakeFile, fakeFiles, use } from "./testing/fake-files.ts";

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

  it("reads the drop-ins beside the file in the order of their names, and nothing else there", () => {
    const vcpus = (count: number) => `[hypervisor.qemu]\ndefault_vcpus = ${count}`;
    use(
      fakeFiles({
        "/e/a.toml": vcpus(1),
        "/e/config.d": "dir",
        "/e/config.d/20-b.toml": vcpus(3),
        "/e/config.d/10-a.toml": vcpus(2),
        "/e/config.d/30-c.toml.orig": vcpus(9),
        "/e/config.d/.40.toml": vcpus(9),
      }),
    );
    const config = loadConfig("/e/a.toml");
    expect(config.hypervisor.default_vcpus).toBe(3);
    expect(config.dropIns).toEqual(["/e/config.d/10-a.toml", "/e/config.d/20-b.toml"]);
  });

  it.each<[string, FakeFile, string]>([
    ["belongs to somebody else", { text: "", uid: 1000 }, "the configuration /a.toml: belongs to user 1000"],
    ["others can write", { text: "", mode: 0o100666 }, "the configuration /a.toml: others can write it"],
    ["a group can write", { text: "", mode: 0o100664 }, "(chmod go-w /a.toml)"],
    ["is a pipe", { text: "", mode: 0o010644 }, "the configuration /a.toml: is no file"],
    ["is a directory", { text: "dir" }, "the configuration /a.toml: is no file"],
  ])("refuses a file that %s", (_, file, message) => {
    use(fakeFiles({ "/a.toml": file }));
    expect(() => loadConfig("/a.toml")).toThrow(message);
  });

  it("refuses a directory of drop-ins that others can write, and a drop-in of somebody else's", () => {
    const dir = { text: "dir", mode: 0o040777 };
    use(fakeFiles({ "/a.toml": "", "/config.d": dir, "/config.d/a.toml": "" }));
    expect(() => loadConfig("/a.toml")).toThrow("the configuration /config.d: others can write it");
    use(fakeFiles({ "/a.toml": "", "/config.d": "dir", "/config.d/a.toml": { text: "", uid: 7 } }));
    expect(() => loadConfig("/a.toml")).toThrow("the configuration /config.d/a.toml: belongs to user 7");
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

  it("names the way without virtiofsd, which nobody needs who takes it", () => {
    use(fakeFiles({ ...files, "/v": undefined }));
    expect(() => checkFiles(config)).toThrow(
      '/v: no such file (key virtio_fs_daemon of [hypervisor.qemu] in /c.toml; install virtiofsd, or set shared_fs = "virtio-9p", which is slower)',
    );
    const plan9 = { ...config, hypervisor: { ...config.hypervisor, shared_fs: "virtio-9p" as const } };
    checkFiles(plan9);
  });

  it("names the annotation that names the path", () => {
    use(fakeFiles({ ...files, "/k": undefined }));
    const annotations = ["io.katacontainers.config.hypervisor.kernel"];
    expect(() => checkFiles({ ...config, annotations })).toThrow(
      "/k: no such file (annotation io.katacontainers.config.hypervisor.kernel)",
    );
  });

  it("refuses a directory", () => {
    use(fakeFiles({ ...files, "/i": "dir" }));
    expect(() => checkFiles(config)).toThrow(
      "/i: is a directory (key initrd of [hypervisor.qemu] in /c.toml)",
    );
  });
});

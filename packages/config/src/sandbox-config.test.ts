import { createHash } from "node:crypto";
import { KataError, setOps } from "@kata-containers/sys";
import { afterEach, describe, expect, it } from "vitest";
import { chooseConfigPath, loadSandboxConfig } from "./sandbox-config.ts";
import { type FakeFile, fakeFiles, use } from "./testing/fake-files.ts";

const CONFIG_PATH = "io.katacontainers.config_path";
const QEMU = "io.katacontainers.config.hypervisor.";
const etc = "/etc/kata-containers/configuration.toml";
const share = "/usr/share/defaults/kata-containers/configuration.toml";

afterEach(() => setOps(undefined));

describe("chooseConfigPath", () => {
  const env = ["PATH=/bin", "KATA_CONF_FILE=/env.toml"];
  const annotations = { [CONFIG_PATH]: "/annotated.toml" };

  it("takes the options' path, then the environment's, then the first default path that is there", () => {
    use(fakeFiles({ [share]: "" }));
    const path = (sources: Parameters<typeof chooseConfigPath>[0]) => chooseConfigPath(sources).path;
    expect(path({ optionsPath: "/options.toml", env })).toBe("/options.toml");
    expect(path({ env })).toBe("/env.toml");
    expect(path({ optionsPath: "", env: ["KATA_CONF_FILE="] })).toBe(share);
    use(fakeFiles({ [share]: "", [etc]: "" }));
    expect(path({ env: [] })).toBe(etc);
    use(fakeFiles({}));
    expect(() => path({ env: [] })).toThrow("no configuration file: searched");
  });

  it("puts the annotation before all of these, as what the other file must allow", () => {
    expect(chooseConfigPath({ annotations, optionsPath: "/options.toml", env })).toEqual({
      path: "/options.toml",
      annotated: "/annotated.toml",
    });
    expect(chooseConfigPath({ annotations, env }).path).toBe("/env.toml");
    expect(chooseConfigPath({ annotations: {}, env }).annotated).toBeUndefined();
  });

  it("looks at its own process's environment unless it is given one", () => {
    use(fakeFiles({}, ["KATA_CONF_FILE=/own.toml"]));
    expect(chooseConfigPath({}).path).toBe("/own.toml");
  });

  it.each(["", "x.toml", "/a/../b.toml", "/a//b.toml", "/a/"])("refuses the annotation %j", (value) => {
    expect(() => chooseConfigPath({ annotations: { [CONFIG_PATH]: value }, env })).toThrow(
      `annotation ${CONFIG_PATH} = ${JSON.stringify(value)} must be a plain absolute path (no empty part, no "." or "..", no control character)`,
    );
  });

  it("refuses a relative path of the options", () => {
    expect(() => chooseConfigPath({ optionsPath: "x.toml", env })).toThrow(
      "the configuration x.toml: must be an absolute path",
    );
  });
});

describe("loadSandboxConfig", () => {
  const programs = `path="/q"\nkernel="/k"\ninitrd="/i"\nvirtio_fs_daemon="/v"\n`;
  const files = {
    "/q": "",
    "/k": "kernel",
    "/i": "",
    "/v": "",
    "/dev/urandom": "",
    "/l": "",
    "/s": "",
    "/ks": "",
  };
  const toml = (hypervisor = "", runtime = "") =>
    `[hypervisor.qemu]\n${programs}${hypervisor}\n[runtime]\nlaunch_path="/l"\nshim_path="/s"\nkata_shim_path="/ks"\n${runtime}`;
  const load = (
    annotations: Record<string, string>,
    configurations: Record<string, string | FakeFile | undefined>,
  ) => {
    use(fakeFiles({ ...files, ...configurations }));
    return loadSandboxConfig({ annotations, optionsPath: "/c.toml", env: [] });
  };
  const codeOf = (run: () => unknown) => {
    try {
      run();
    } catch (error) {
      return error instanceof KataError ? error.code : error;
    }
    return undefined;
  };

  it("is the file's, changed by annotations", () => {
    const allowed = toml("enable_annotations = ['machine_type']");
    expect(load({ [`${QEMU}machine_type`]: "q35" }, { "/c.toml": allowed }).hypervisor.machine_type).toBe(
      "q35",
    );
  });

  it("looks for the file that an annotation names, not for the one in its place", () => {
    const allowed = toml("enable_annotations = ['kernel']\nvalid_kernel_paths = ['/other/*']");
    const annotations = { [`${QEMU}kernel`]: "/other/k" };
    const there = { "/c.toml": allowed, "/k": undefined, "/other/k": "" };
    expect(load(annotations, there).hypervisor.kernel).toBe("/other/k");
    expect(() => load(annotations, { "/c.toml": allowed })).toThrow(
      `/other/k: no such file (annotation ${QEMU}kernel)`,
    );
  });

  describe("of the annotation's file", () => {
    const other = { "/d/other.toml": toml("machine_type = 'q35'") };
    const annotations = { [CONFIG_PATH]: "/d/other.toml" };

    it("when the file that would be read lists it", () => {
      const config = load(annotations, {
        "/c.toml": toml("", "valid_config_paths = ['/d/*.toml']"),
        ...other,
      });
      expect(config).toMatchObject({ path: "/d/other.toml", hypervisor: { machine_type: "q35" } });
    });

    it("is refused when it is not listed, whether it is there or not", () => {
      const message = `annotation ${CONFIG_PATH} = "/d/other.toml" is not allowed: no pattern of valid_config_paths of [runtime] in /c.toml matches it`;
      expect(() => load(annotations, { "/c.toml": toml(), ...other })).toThrow(message);
      expect(() => load(annotations, { "/c.toml": toml("", "valid_config_paths = ['/d/x*']") })).toThrow(
        message,
      );
      expect(codeOf(() => load(annotations, { "/c.toml": toml() }))).toBe("PermissionDenied");
    });

    it("is refused when others can write it, listed or not", () => {
      const writable = { "/d/other.toml": { text: toml(), mode: 0o100666 } };
      const listing = toml("", "valid_config_paths = ['/d/*']");
      expect(() => load(annotations, { "/c.toml": listing, ...writable })).toThrow(
        "the configuration /d/other.toml: others can write it",
      );
    });

    it("has its own rules for annotations, and the first file's do not count any more", () => {
      const listing = toml("enable_annotations = ['.*']", "valid_config_paths = ['/d/*']");
      expect(() =>
        load({ ...annotations, [`${QEMU}machine_type`]: "q35" }, { "/c.toml": listing, ...other }),
      ).toThrow("in /d/other.toml is found in machine_type");
    });

    it("needs no list to be the same file", () => {
      expect(load({ [CONFIG_PATH]: "/c.toml" }, { "/c.toml": toml() }).path).toBe("/c.toml");
    });
  });

  describe("with a hash", () => {
    const allowed = { "/c.toml": toml("enable_annotations = ['_hash$']") };
    const hash = createHash("sha512").update("kernel").digest("hex");

    it("is given when the file has it", () => {
      load({ [`${QEMU}kernel_hash`]: hash, "io.katacontainers.asset_hash_type": "sha512" }, allowed);
      load({ [`${QEMU}kernel_hash`]: hash.toUpperCase() }, allowed);
    });

    it("is refused when the file is another", () => {
      const wrong = hash.replaceAll("a", "b");
      expect(() => load({ [`${QEMU}kernel_hash`]: wrong }, allowed)).toThrow(
        `annotation ${QEMU}kernel_hash = "${wrong.slice(0, 100)}…" is not the hash of /k, ${hash}`,
      );
      expect(() => load({ [`${QEMU}initrd_hash`]: hash }, allowed)).toThrow(
        "is not the hash of /i, cf83e1357eefb8bd",
      );
      expect(() => load({ [`${QEMU}hypervisor_hash`]: hash }, allowed)).toThrow("is not the hash of /q, ");
    });

    it("is refused when there is no file to have it", () => {
      expect(() => load({ [`${QEMU}firmware_hash`]: hash }, allowed)).toThrow(
        "is about a file that there is not: firmware of [hypervisor.qemu] is empty",
      );
    });
  });
});

import { KataError } from "@kata-containers/sys";
import { describe, expect, it } from "vitest";
import { annotationSubjects } from "./annotation-names.ts";
import { applyAnnotations, refuseContainerAnnotations } from "./annotations.ts";
import { parseConfig } from "./parse.ts";
import { restoreConfig } from "./restore.ts";
import { sectionNames, table } from "./table.ts";

const QEMU = "io.katacontainers.config.hypervisor.";

/** A configuration that allows every annotation by its name, with more keys of [hypervisor.qemu]. */
const open = (more = "") => parseConfig(`[hypervisor.qemu]\nenable_annotations = [".*"]\n${more}`, "/c.toml");

const apply = (config: ReturnType<typeof open>, annotations: Record<string, string>) =>
  applyAnnotations(config, annotations, () => ({ cpus: 8, memoryMiB: 16_000 }));

/** Of a configuration with more keys, changed by one annotation of [hypervisor.qemu]. */
const changed = (name: string, value: string, more = "") =>
  apply(open(more), { [QEMU + name]: value }).hypervisor;

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof KataError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "none";
}

describe("an annotation sets", () => {
  it.each([
    ["path", "/opt/qemu", "path", "/opt/qemu", "valid_hypervisor_paths = ['/opt/*']"],
    ["kernel", "/k/b", "kernel", "/k/b", "valid_kernel_paths = ['', '/x', '/k/*']"],
    ["initrd", "/i", "initrd", "/i", "valid_initrd_paths = ['/i']"],
    ["firmware", "/f", "firmware", "/f", "valid_firmware_paths = ['/f']"],
    ["entropy_source", "/dev/random", "entropy_source", "/dev/random", "valid_entropy_sources = ['/dev/*']"],
    ["virtio_fs_daemon", "/v", "virtio_fs_daemon", "/v", "valid_virtio_fs_daemon_paths = ['/?']"],
    ["machine_type", "q35", "machine_type", "q35"],
    ["cpu_features", "pmu=off", "cpu_features", "pmu=off", "cpu_features = '-vmx'"],
    ["kernel_params", "b=2", "kernel_params", "a=1 b=2", "kernel_params = 'a=1'"],
    ["kernel_params", "b=2", "kernel_params", "b=2"],
    ["default_vcpus", "8", "default_vcpus", 8],
    ["default_max_vcpus", "3", "default_maxvcpus", 3],
    ["default_memory", "512", "default_memory", 512],
    ["memory_slots", "2", "memory_slots", 2],
    ["enable_mem_prealloc", "true", "enable_mem_prealloc", true],
    ["enable_hugepages", "0", "enable_hugepages", false, "enable_hugepages = true"],
    ["reclaim_guest_freed_memory", "true", "reclaim_guest_freed_memory", true],
    ["disable_vhost_net", "t", "disable_vhost_net", true],
    ["shared_fs", "virtio-9p", "shared_fs", "virtio-9p"],
    ["virtio_fs_cache", "never", "virtio_fs_cache", "never"],
  ])("%s = %j", (name, text, key, value, more = "") => {
    expect(changed(name, text, more)).toMatchObject({ [key]: value });
  });

  it("a key of the other tables", () => {
    const config = apply(open(), {
      "io.katacontainers.config.agent.container_pipe_size": "4096",
      "io.katacontainers.config.runtime.disable_guest_seccomp": "True",
      "io.katacontainers.config.runtime.internetworking_model": "none",
    });
    expect(config.agent.container_pipe_size).toBe(4096);
    expect(config.runtime).toMatchObject({ disable_guest_seccomp: true, internetworking_model: "none" });
  });

  it("nothing but what it names, and the configuration says which annotations changed it", () => {
    const before = open("machine_type = 'q35'");
    const after = apply(before, { [`${QEMU}default_memory`]: "512" });
    expect(after).toEqual({
      ...before,
      hypervisor: { ...before.hypervisor, default_memory: 512 },
      annotations: [`${QEMU}default_memory`],
    });
    expect(before.hypervisor.default_memory).toBe(256);
    expect(Object.isFrozen(after) && Object.isFrozen(after.hypervisor)).toBe(true);
    expect(restoreConfig(JSON.stringify(after), "/s.json")).toEqual(after);
  });
});

describe("enable_annotations", () => {
  const allowing = (...patterns: string[]) =>
    parseConfig(`[hypervisor.qemu]\nenable_annotations = ${JSON.stringify(patterns)}`, "/c.toml");

  it("allows none when it is not set", () => {
    expect(refusal(() => apply(allowing(), { [`${QEMU}default_vcpus`]: "2" }))).toBe(
      `PermissionDenied: annotation ${QEMU}default_vcpus = "2" is not enabled: no pattern of enable_annotations of [hypervisor.qemu] in /c.toml is found in default_vcpus`,
    );
  });

  it.each([
    [["^default_vcpus$"], "default_vcpus", true],
    [["other", "vcpus"], "default_vcpus", true],
    [["^vcpus$"], "default_vcpus", false],
    // As upstream: it is looked for anywhere in the name, whose first words do not count.
    [["hypervisor"], "default_vcpus", false],
    [["^default_max_?vcpus$"], "default_max_vcpus", true],
    [["DEFAULT_VCPUS"], "default_vcpus", false],
    [[""], "default_vcpus", true],
  ])("%j and %s: %s", (patterns, name, allowed) => {
    const told = refusal(() => apply(allowing(...patterns), { [QEMU + name]: "2" }));
    expect(told === "none").toBe(allowed);
  });

  it("is asked for annotations of every table, and for hashes", () => {
    for (const name of [
      "agent.container_pipe_size",
      "runtime.disable_guest_seccomp",
      "hypervisor.kernel_hash",
    ])
      expect(
        refusal(() => apply(allowing("vcpus"), { [`io.katacontainers.config.${name}`]: "1" })),
      ).toContain("is not enabled");
  });

  it.each([
    "(?i)x",
    "(?P<n>x)",
    "\\Ax",
    "x\\z",
    "\\Qx\\E",
    "[[:alpha:]]",
    "\\pL",
    "x**",
    "(",
    "[",
    "a{2,1}",
    "\\",
  ])(
    "may not have %j, which is no pattern here or none everywhere: the error has key and line",
    (pattern) => {
      const source = `[hypervisor.qemu]\nmachine_type = "pc"\nenable_annotations = ["ok", ${JSON.stringify(pattern)}]`;
      expect(() => parseConfig(source, "/c.toml")).toThrow(
        `/c.toml:3: [hypervisor.qemu] enable_annotations must be without ${JSON.stringify(pattern)}: it is no regular expression of JavaScript's with the flag u, not ["ok",`,
      );
    },
  );

  it("takes upstream's own lists", () => {
    expect(
      allowing("enable_iommu", "kernel_params", "kernel_verity_params").hypervisor.enable_annotations,
    ).toEqual(["enable_iommu", "kernel_params", "kernel_verity_params"]);
    open(
      "valid_entropy_sources = ['/dev/urandom', '/dev/random', '']\nvalid_file_mem_backends = ['']\nvalid_hypervisor_paths = ['/usr/bin/qemu']",
    );
  });
});

describe("a value is refused, with its annotation and the rule:", () => {
  it.each([
    ["default_vcpus", "two", "", "must be a number of vCPUs from -1 to 240"],
    ["default_vcpus", "1.5", "", "must be a number of vCPUs from -1 to 240"],
    ["default_vcpus", " 1", "", "must be a number of vCPUs from -1 to 240"],
    ["default_vcpus", "0x2", "", "must be a number of vCPUs from -1 to 240"],
    ["default_vcpus", "1e1", "", "must be a number of vCPUs from -1 to 240"],
    ["default_vcpus", "", "", "must be a number of vCPUs from -1 to 240"],
    ["default_vcpus", "241", "", "must be a number of vCPUs from -1 to 240"],
    ["default_vcpus", "9", "", "must be at most 8, the host's CPUs"],
    ["default_vcpus", "9", "default_maxvcpus = 100", "must be at most 8, the host's CPUs"],
    [
      "default_vcpus",
      "5",
      "default_maxvcpus = 4",
      "must be at most 4, default_maxvcpus of [hypervisor.qemu] in /c.toml",
    ],
    ["default_vcpus", "-1", "default_maxvcpus = 4", "must be at most 4, default_maxvcpus of"],
    ["default_max_vcpus", "9", "", "must be at most 8, the host's CPUs"],
    ["default_max_vcpus", "5", "default_maxvcpus = 4", "must be at most 4, default_maxvcpus of"],
    ["default_max_vcpus", "0", "default_maxvcpus = 4", "must be at most 4, default_maxvcpus of"],
    [
      "default_max_vcpus",
      "2",
      "default_vcpus = 4",
      "must be at least 4, default_vcpus of [hypervisor.qemu] in /c.toml",
    ],
    ["default_memory", "63", "", "must be a number of MiB from 64 to 16777216"],
    ["default_memory", "-256", "", "must be a number of MiB from 64 to 16777216"],
    ["default_memory", "2Gi", "", "must be a number of MiB from 64 to 16777216"],
    ["default_memory", "16001", "", "must be at most 16000, the host's memory in MiB"],
    [
      "default_memory",
      "1025",
      "default_maxmemory = 1024",
      "must be at most 1024, default_maxmemory of [hypervisor.qemu] in /c.toml",
    ],
    ["machine_type", "microvm", "", 'must be "pc" or "q35"'],
    ["shared_fs", "none", "", 'must be "virtio-fs" or "virtio-9p" (root file systems reach'],
    ["enable_hugepages", "yes", "", "must be true or false"],
    [
      "enable_hugepages",
      "true",
      "reclaim_guest_freed_memory = true",
      "is not possible: reclaim_guest_freed_memory and enable_hugepages cannot both be true",
    ],
    [
      "reclaim_guest_freed_memory",
      "true",
      "enable_mem_prealloc = true",
      "is not possible: reclaim_guest_freed_memory and enable_mem_prealloc cannot both be true",
    ],
    ["cpu_features", "x,y z", "", "must be words like pmu=off"],
    ["kernel_params", "a\nb", "", "must be words separated by spaces, in printable ASCII"],
    ["kernel_params", "agent.server_addr=x", "", "must be without agent.server_addr"],
    [
      "kernel_params",
      "a".repeat(900),
      `kernel_params = '${"b".repeat(700)}'`,
      "must be at most 1500 characters, together with kernel_params of /c.toml",
    ],
    ["kernel_params", "a".repeat(5000), "", "must be at most 4096 characters"],
    ["kernel", "vmlinux", "", "must be an absolute path"],
    ["kernel", "/a/../b", "valid_kernel_paths = ['/*/*/*']", "must be a plain absolute path"],
    ["kernel", "/a//b", "valid_kernel_paths = ['/*/*/*']", "must be a plain absolute path"],
    ["kernel_hash", "abc", "", "must be a SHA-512, of 128 hexadecimal digits"],
  ])("%s = %j", (name, value, more, rule) => {
    const told = refusal(() => changed(name, value, more));
    expect(told).toContain(
      `InvalidArgument: annotation ${QEMU}${name} = "${value.slice(0, 5).split("\n")[0]}`,
    );
    expect(told).toContain(`" ${rule}`);
    expect(told).not.toContain("\n");
    expect(told.length).toBeLessThan(400);
  });

  it.each([
    ["path", "valid_hypervisor_paths"],
    ["kernel", "valid_kernel_paths"],
    ["initrd", "valid_initrd_paths"],
    ["firmware", "valid_firmware_paths"],
    ["entropy_source", "valid_entropy_sources"],
    ["virtio_fs_daemon", "valid_virtio_fs_daemon_paths"],
  ])("a path for %s that %s does not list, but the configuration's own is always right", (name, list) => {
    const more = `${name} = '/own/file'\n${list} = ['/opt/*', '']`;
    expect(refusal(() => changed(name, "/etc/shadow", more))).toBe(
      `PermissionDenied: annotation ${QEMU}${name} = "/etc/shadow" is not allowed: no pattern of ${list} of [hypervisor.qemu] in /c.toml matches it`,
    );
    expect(changed(name, "/own/file", more)).toMatchObject({ [name]: "/own/file" });
  });

  it("two that do not go together", () => {
    const both = (vcpus: string, most: string) =>
      refusal(() =>
        apply(open("default_vcpus = 6"), {
          [`${QEMU}default_max_vcpus`]: most,
          [`${QEMU}default_vcpus`]: vcpus,
        }),
      );
    expect(both("2", "3")).toBe("none");
    expect(both("4", "3")).toContain(
      `${QEMU}default_vcpus = "4" must be at most 3, ${QEMU}default_max_vcpus`,
    );
  });
});

describe("a name", () => {
  it.each([
    ["hypervisor.default_vcpu", "2", `is unknown (did you mean ${QEMU}default_vcpus?)`],
    ["hypervisor.default_maxvcpus", "2", `is unknown (did you mean ${QEMU}default_max_vcpus?)`],
    ["hypervisor.zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "2", "is unknown (remove it)"],
    ["hypervisor.__proto__", "2", "is unknown (remove it)"],
    ["agent.default_vcpus", "2", `is unknown (did you mean ${QEMU}default_vcpus?)`],
    [
      "hypervisor.enable_iommu",
      "true",
      'is not supported: the guest has no IOMMU (remove it, or set it to "false")',
    ],
    ["hypervisor.cc_init_data", "H4sI", "is not supported: confidential guests are not supported"],
    ["hypervisor.blk_logical_sector_size", "512", "is not supported: no block device"],
    [
      "hypervisor.virtio_fs_extra_args",
      '["-d"]',
      "is not supported: they are arguments of a program of the host's",
    ],
    ["hypervisor.default_maxmemory", "1", "is not supported: it limits default_memory"],
    ["hypervisor.enable_annotations", "x", "is not supported: only the configuration file sets it"],
    ["hypervisor.valid_kernel_paths", "/*", "is not supported: only the configuration file sets it"],
    ["runtime.shim_path", "/x", "is not supported: only the configuration file sets it"],
    ["runtime.valid_config_paths", "/*", "is not supported: only the configuration file sets it"],
    ["agent.policy", "cGFja2FnZQ==", "is not supported: the agent has no policy"],
    ["hypervisor.image_hash", "00", "is not supported: the guest's root file system is its initrd"],
  ])("that no configuration enables: %s", (name, value, rule) => {
    const told = refusal(() => apply(open(), { [`io.katacontainers.config.${name}`]: value }));
    expect(told).toContain(
      `InvalidArgument: annotation io.katacontainers.config.${name} = ${JSON.stringify(value)} ${rule}`,
    );
  });

  it.each([
    ["io.katacontainers.hypervisor.default_vcpus", `is unknown (did you mean ${QEMU}default_vcpus?)`],
    ["io.katacontainers.container.x", "is unknown (remove it)"],
    [
      "io.katacontainers.container.resource.swappiness",
      "is not supported: the guest has no swap (remove it)",
    ],
    [
      "io.katacontainers.asset_hash_type",
      'is not supported: hashes are SHA-512 (remove it, or set it to "sha512")',
    ],
    ["sgx.intel.com/epc", "is not supported: SGX enclaves are not supported (remove it)"],
  ])("outside of the configuration: %s", (name, rule) => {
    expect(refusal(() => apply(open(), { [name]: "60" }))).toBe(
      `InvalidArgument: annotation ${name} = "60" ${rule}`,
    );
  });

  it("that is hostile is told in one line of bounded length", () => {
    const name = `io.katacontainers.config.\n\u001b[2J\u202e${"x".repeat(100_000)}`;
    const told = refusal(() => apply(open(), { [name]: "\r\n" }));
    expect(told).toMatch(
      /^InvalidArgument: annotation "io\.katacontainers\.config\.[\x20-\x7e…]+" = "\\r\\n" is unknown \(remove it\)$/,
    );
    expect(told.length).toBeLessThan(300);
  });

  it.each([
    ["hypervisor.enable_iommu", "false"],
    ["hypervisor.enable_iommu", "F"],
    ["hypervisor.pcie_root_port", "0"],
    ["hypervisor.hot_plug_vfio", "no-port"],
    ["hypervisor.image", ""],
    ["hypervisor.asset_hash_type", "sha512"],
    ["runtime.enable_pprof", "false"],
    ["runtime.experimental", ""],
  ])("of what is not supported is right when it asks for what is done anyway: %s = %j", (name, value) => {
    const config = parseConfig("", "/c.toml");
    expect(apply(config, { [`io.katacontainers.config.${name}`]: value })).toBe(config);
  });

  it("of somebody else's, and of the runtime's own, is none of these", () => {
    const config = open();
    const annotations = {
      "io.katacontainers.pkg.oci.bundle_path": "/b",
      "io.katacontainers.config_path": "/c.toml",
      "io.kubernetes.cri.sandbox-id": "s",
      "org.example": "x".repeat(10_000),
      constructor: "x",
    };
    expect(apply(config, annotations)).toBe(config);
    expect(applyAnnotations(config)).toBe(config);
  });
});

it("asks for the host's size only when an annotation is about it", () => {
  const never = () => {
    throw new Error("asked");
  };
  expect(applyAnnotations(open(), { [`${QEMU}machine_type`]: "q35" }, never).hypervisor.machine_type).toBe(
    "q35",
  );
  expect(() => applyAnnotations(open(), { [`${QEMU}default_memory`]: "512" }, never)).toThrow("asked");
});

it("a pod's container may have its sandbox's annotations, and none of its own that would have no effect", () => {
  refuseContainerAnnotations({ [`${QEMU}enable_iommu`]: "true", [`${QEMU}default_vcpus`]: "1000" });
  refuseContainerAnnotations();
  expect(
    refusal(() => refuseContainerAnnotations({ "io.katacontainers.container.resource.swappiness": "1" })),
  ).toBe(
    'InvalidArgument: annotation io.katacontainers.container.resource.swappiness = "1" is not supported: the guest has no swap (remove it)',
  );
  expect(refusal(() => refuseContainerAnnotations({ "io.katacontainers.container.x": "1" }))).toContain(
    "is unknown",
  );
});

describe("the table", () => {
  it("says of every key whether an annotation sets it", () => {
    for (const section of sectionNames) {
      const expected = Object.keys({ ...table[section].keys, ...table[section].refused }).length;
      const found = [...annotationSubjects().keys()].filter((name) =>
        name.startsWith(`io.katacontainers.config.${section}.`),
      );
      expect(found.length, section).toBeGreaterThanOrEqual(expected);
    }
  });

  it("has a rule for every annotation of upstream's", () => {
    expect(upstreamAnnotations.filter((name) => !annotationSubjects().has(name))).toEqual([]);
  });

  it("lets an annotation set just what is tested above", () => {
    const settable = [...annotationSubjects()].filter(([, { kind }]) => kind === "key").map(([name]) => name);
    expect(settable.map((name) => name.split(".").at(-1)).sort()).toEqual(
      `container_pipe_size cpu_features default_max_vcpus default_memory default_vcpus disable_guest_seccomp disable_vhost_net
      enable_hugepages enable_mem_prealloc entropy_source firmware initrd internetworking_model kernel kernel_params machine_type memory_slots path reclaim_guest_freed_memory shared_fs virtio_fs_cache
      virtio_fs_daemon`.split(/\s+/),
    );
  });
});

/** From the shared reference and upstream's lists of constants: 1.x and 3.x/4.x, Go and Rust runtimes. */
const upstreamAnnotations = [
  ...Object.entries({
    "config.hypervisor": `kernel image initrd path ctlpath jailer_path firmware firmware_volume kernel_hash image_hash
      initrd_hash hypervisor_hash path_hash hypervisorctl_hash jailer_hash firmware_hash firmware_volume_hash
      asset_hash_type kernel_params kernel_verity_params machine_type machine_accelerators cpu_features guest_hook_path
      entropy_source virtio_fs_cache disable_vhost_net enable_vhost_user_store use_vsock disable_image_nvdimm
      hotplug_vfio_on_root_bus enable_virtio_mem enable_mem_prealloc enable_swap enable_hugepages enable_iommu
      enable_iommu_platform disable_block_device_use enable_iothreads block_device_cache_set block_device_cache_direct
      block_device_cache_noflush vhost_user_store_path file_mem_backend virtio_fs_daemon pcie_root_port default_memory
      memory_slots memory_offset virtio_fs_cache_size msize_9p default_vcpus default_max_vcpus shared_fs
      block_device_driver virtio_fs_extra_args vhost_user_reconnect_timeout_sec cold_plug_vfio hot_plug_vfio
      pcie_switch_port use_legacy_serial default_gpus default_gpu_model reclaim_guest_freed_memory numa_mapping
      block_device_aio indep_iothreads blk_logical_sector_size blk_physical_sector_size rx_rate_limiter_max_rate
      tx_rate_limiter_max_rate enable_guest_swap rootless cc_init_data hugepage_type network_queues
      block_device_num_queues block_device_queue_size prefetch_files.list`,
    "config.runtime": `disable_guest_seccomp sandbox_cgroup_only disable_new_netns experimental internetworking_model
      guest_selinux_label enable_pprof vfio_mode create_container_timeout experimental_force_guest_pull name
      hypervisor_name agent_name shared_mounts sandbox_bind_mounts enable_vcpus_pinning`,
    "config.agent": `kernel_modules enable_tracing trace_mode trace_type container_pipe_size policy cdh_api_timeout
      cdh_api_timeout_ms`,
    "container.resource": "swappiness swap_in_bytes",
  }).flatMap(([prefix, names]) => names.split(/\s+/).map((name) => `io.katacontainers.${prefix}.${name}`)),
  "io.katacontainers.config_path",
  "io.katacontainers.asset_hash_type",
  "io.katacontainers.enable_vcpus_pinning",
  "sgx.intel.com/epc",
];

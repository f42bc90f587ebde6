import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readLayer } from "./layer.ts";
import { mergeLayers } from "./merge.ts";
import { parseConfig } from "./parse.ts";
import { restoreConfig } from "./restore.ts";
import { table } from "./table.ts";
import { renderDocs, renderTemplate } from "./template.ts";

const parse = (source: string) => parseConfig(source, "/etc/k.toml");

describe("parseConfig", () => {
  it("gives every key its default when the file is empty", () => {
    const config = parse("");
    expect(config.hypervisor.machine_type).toBe("pc");
    expect(config.hypervisor.default_memory).toBe(256);
    expect(config.runtime.enable_debug).toBe(false);
    expect(config.path).toBe("/etc/k.toml");
  });

  it("takes the values that the file sets", () => {
    const config = parse(
      `[hypervisor.qemu]\ndefault_vcpus = 2\nvirtio_fs_extra_args = ["-d"]\n[agent.kata]\ndial_timeout = 5`,
    );
    expect(config.hypervisor.default_vcpus).toBe(2);
    expect(config.hypervisor.virtio_fs_extra_args).toEqual(["-d"]);
    expect(config.agent.dial_timeout).toBe(5);
  });

  it("gives a configuration that nobody can change", () => {
    const config = parse("");
    expect(Object.isFrozen(config) && Object.isFrozen(config.hypervisor)).toBe(true);
  });

  it.each([
    [
      "[hypervisor.qemu]\nkernal = '/x'",
      '/etc/k.toml:2: unknown key "kernal" in [hypervisor.qemu] (did you mean "kernel"?)',
    ],
    [
      "\n[hypervisor.qemv]",
      "/etc/k.toml:2: unknown table [hypervisor.qemv] (did you mean [hypervisor.qemu]?)",
    ],
    ["debug = true", '/etc/k.toml:1: key "debug" stands outside of every known table'],
    [
      "[hypervisor.qemu]\n# more\ndefault_memory = '1G'",
      '/etc/k.toml:3: [hypervisor.qemu] default_memory must be a number of MiB from 64 to 16777216, not "1G"',
    ],
    [
      "[hypervisor.qemu]\nmachine_type = 'q36'",
      /\/etc\/k\.toml:2: \[hypervisor\.qemu\] machine_type must be "pc"( or "q35")?, not "q36"/,
    ],
    [
      "[hypervisor.qemu]\naccelerator = 'xen'",
      '/etc/k.toml:2: [hypervisor.qemu] accelerator must be "auto" or "kvm" or "tcg", not "xen"',
    ],
    [
      "[hypervisor.qemu]\npath = 'qemu'",
      '/etc/k.toml:2: [hypervisor.qemu] path must be an absolute path, not "qemu"',
    ],
    [
      "[hypervisor.qemu]\ndefault_vcpus = 1.5",
      "default_vcpus must be a number of vCPUs from -1 to 240, not 1.5",
    ],
    ["[runtime]\nenable_debug = 1", "/etc/k.toml:2: [runtime] enable_debug must be true or false, not 1"],
    [
      "runtime.enable_debug = {a=1}",
      "/etc/k.toml:1: [runtime] enable_debug must be true or false, not a table",
    ],
    ["[runtime]\nkernel = '/x'", 'unknown key "kernel" in [runtime] (it belongs into [hypervisor.qemu])'],
    ["[runtime]\nconstructor = 1", 'unknown key "constructor" in [runtime]'],
    [
      "[hypervisor.qemu]\nshared_fs = 'none'",
      'shared_fs must be "virtio-fs" or "virtio-9p" (root file systems reach the guest by the share alone), not',
    ],
    [
      "[hypervisor.qemu]\nvirtio_fs_queue_size = 100",
      "virtio_fs_queue_size must be 64 or 128 or 256 or 512 or 1024, not 100",
    ],
    [
      "[hypervisor.qemu]\nvirtio_fs_extra_args = ['--sandbox=none']",
      'virtio_fs_extra_args must be without "--sandbox=none": what virtiofsd serves',
    ],
    [
      "[hypervisor.qemu]\nvirtio_fs_extra_args = ['-o', 'xattr,source=/etc']",
      'virtio_fs_extra_args must be without "xattr,source=/etc"',
    ],
    [
      "[hypervisor.qemu]\nkernel_params = 'a agent.server_addr=unix:///x'",
      "kernel_params must be without agent.server_addr: the runtime chooses how the agent is reached",
    ],
    ["[hypervisor.qemu]\nkernel_params = 'a\\nb'\nkernel_params = 1", "/etc/k.toml:3:"],
    [
      `[hypervisor.qemu]\nkernel_params = "a\\nb"`,
      "kernel_params must be words separated by spaces, in printable ASCII",
    ],
    [
      `[hypervisor.qemu]\nkernel_params = "${"x".repeat(1501)}"`,
      "kernel_params must be at most 1500 characters",
    ],
    [
      `[hypervisor.qemu]\ncpu_features = "pmu=off, x y"`,
      "cpu_features must be words like pmu=off, +avx2 or -sse4a",
    ],
    [
      "[hypervisor.qemu]\ndefault_vcpus = 4\ndefault_maxvcpus = 2",
      "/etc/k.toml:2: [hypervisor.qemu] default_vcpus is 4, more than default_maxvcpus, 2",
    ],
    [
      "[hypervisor.qemu]\ndefault_maxmemory = 128",
      "/etc/k.toml:2: [hypervisor.qemu] default_memory is 256, more than default_maxmemory, 128",
    ],
    [
      "[hypervisor.qemu]\nenable_hugepages = true\nreclaim_guest_freed_memory = true",
      "/etc/k.toml:3: [hypervisor.qemu] reclaim_guest_freed_memory and enable_hugepages cannot both be true",
    ],
    [
      "[hypervisor.qemu]\nenable_mem_prealloc = true\nreclaim_guest_freed_memory = true",
      "/etc/k.toml:3: [hypervisor.qemu] reclaim_guest_freed_memory and enable_mem_prealloc cannot both be true",
    ],
  ])("refuses %j, naming file, line, key and what is right", (source, message) => {
    expect(() => parse(source)).toThrow(message);
  });

  it("names the known keys when none is near", () => {
    expect(() => parse("[agent.kata]\nzzzzzzzzzz = 1")).toThrow(
      '/etc/k.toml:2: unknown key "zzzzzzzzzz" in [agent.kata] (known: "enable_debug", "container_pipe_size", ',
    );
  });

  it("names the line of what is no TOML, in one line", () => {
    expect(() => parse("[runtime]\nenable_debug = maybe")).toThrow(
      /^\/etc\/k\.toml:2:\d+: not TOML: [^\n]+$/,
    );
  });

  it("throws the first problem and tells how many more there are", () => {
    expect(() => parse("a = 1\n[runtime]\nb = 2\nenable_debug = 3")).toThrow(
      /^\/etc\/k\.toml:1: [^\n]+ \(and 2 more: kata-runtime check lists them\)$/,
    );
  });
});

describe("a key of upstream's that we do not have", () => {
  it.each([
    [
      "[hypervisor.qemu]\nimage = '/x'",
      'key "image" of [hypervisor.qemu] is not supported: the guest\'s root file system is its initrd (set initrd) (remove it, or set it to "")',
    ],
    ["[proxy.kata]\npath = '/x'", 'key "path" of [proxy.kata] is not supported: there is no proxy'],
    [
      "[hypervisor.firecracker]\npath = '/x'",
      "table [hypervisor.firecracker] is not supported: QEMU is the only",
    ],
    ["[agent.kata.mem_agent]\nmem_agent_enable = true", 'key "mem_agent" of [agent.kata] is not supported: '],
  ])("is refused with the reason: %j", (source, message) => {
    expect(() => parse(source)).toThrow(message);
  });

  it("is accepted with a value that asks for what is done anyway, and does nothing", () => {
    const source = `[hypervisor.qemu]\nenable_iommu = false\nvalid_hypervisor_paths = []\n[factory]\nvm_cache_number = 0\n[netmon]\n[runtime]\nexperimental = []`;
    expect(parse(source)).toEqual(parse(""));
  });

  it("that is misspelt is told as what it is", () => {
    expect(() => parse("[hypervisor.qemu]\nblock_device_drivr = 'x'")).toThrow(
      'did you mean "block_device_driver"?',
    );
  });

  it("is either in our table or in the list of those refused, once, for every key of upstream's", () => {
    const unknown = upstreamKeys.filter(([name, key]) => {
      const source = `[${name}]\n${key} = 'no value of any key'`;
      const [problem = ""] = readLayer(source, "f").problems;
      return problem.includes("unknown");
    });
    expect(unknown).toEqual([]);
    for (const { keys, refused } of Object.values(table)) {
      expect(Object.keys(keys).filter((key) => Object.hasOwn(refused, key))).toEqual([]);
    }
  });
});

/** Table and key, from the shared reference: upstream's 1.x and 3.x/4.x, Go and Rust runtimes. */
const upstreamKeys: readonly (readonly [string, string])[] = Object.entries({
  "hypervisor.qemu": `path valid_hypervisor_paths jailer_path valid_jailer_paths ctlpath valid_ctlpaths kernel initrd image
    firmware pflashes machine_type machine_accelerators cpu_features kernel_params default_vcpus default_maxvcpus
    default_memory memory_slots memory_offset enable_virtio_mem default_bridges block_device_driver block_device_cache_set
    block_device_cache_direct block_device_cache_noflush disable_block_device_use enable_iothreads entropy_source shared_fs
    virtio_fs_daemon valid_virtio_fs_daemon_paths virtio_fs_cache virtio_fs_cache_size virtio_fs_extra_args msize_9p
    enable_mem_prealloc enable_hugepages enable_iommu enable_iommu_platform file_mem_backend valid_file_mem_backends
    enable_swap enable_vhost_user_store vhost_user_store_path valid_vhost_user_store_paths enable_debug
    disable_nesting_checks use_vsock disable_image_nvdimm hotplug_vfio_on_root_bus pcie_root_port disable_vhost_net
    guest_hook_path enable_annotations rootfs_type firmware_volume kernel_verity_params default_maxmemory seccompsandbox
    block_device_aio block_device_logical_sector_size block_device_physical_sector_size indep_iothreads
    virtio_fs_queue_size vhost_user_reconnect_timeout_sec reclaim_guest_freed_memory hot_plug_vfio cold_plug_vfio
    pcie_switch_port rx_rate_limiter_max_rate tx_rate_limiter_max_rate disk_rate_limiter_bw_max_rate
    disk_rate_limiter_bw_one_time_burst disk_rate_limiter_ops_max_rate disk_rate_limiter_ops_one_time_burst
    net_rate_limiter_bw_max_rate net_rate_limiter_bw_one_time_burst net_rate_limiter_ops_max_rate
    net_rate_limiter_ops_one_time_burst enable_guest_swap rootless disable_seccomp disable_selinux disable_guest_selinux
    confidential_guest sev_snp_guest snp_id_block snp_id_auth snp_guest_policy tdx_quote_generation_service_socket_port
    measurement_algo guest_memory_dump_path guest_memory_dump_paging hypervisor_loglevel use_legacy_serial
    extra_monitor_socket valid_entropy_sources remote_hypervisor_socket remote_hypervisor_timeout enable_numa numa_mapping
    guest_extension_images vm_rootfs_driver overhead_vcpus overhead_memory disable_nested_virtualization hugepage_type
    guest_swap_path guest_swap_size_percent guest_swap_create_threshold_secs network_queues block_device_num_queues
    block_device_queue_size virtio_fs_is_dax default_gpus default_gpu_model prefetch_list_path initdata qgs_port
    selinux_label boot_to_be_template boot_from_template memory_path device_state_path`,
  factory: "enable_template template_path vm_cache_number vm_cache_endpoint",
  "proxy.kata": "path enable_debug",
  "shim.kata": "path enable_debug enable_tracing",
  netmon: "enable_netmon path enable_debug",
  "agent.kata": `enable_debug enable_tracing trace_mode trace_type kernel_modules debug_console_enabled dial_timeout
    cdh_api_timeout launch_process_timeout visible_cdi_devices log_level server_port log_port passfd_listener_port
    dial_timeout_ms reconnect_timeout_ms request_timeout_ms health_check_request_timeout_ms cdh_api_timeout_ms
    container_pipe_size policy mem_agent`,
  runtime: `enable_debug internetworking_model disable_guest_seccomp enable_tracing disable_new_netns sandbox_cgroup_only
    experimental enable_agent_pidns enable_vcpus_pinning jaeger_endpoint jaeger_user jaeger_password enable_pprof
    sandbox_bind_mounts vfio_mode static_sandbox_resource_mgmt disable_guest_empty_dir emptydir_mode guest_selinux_label
    create_container_timeout dan_conf experimental_force_guest_pull pod_resource_api_sock kubelet_root_dir name
    hypervisor_name agent_name log_level keep_abnormal shared_mounts use_passfd_io passfd_listener_port`,
}).flatMap(([name, keys]) => keys.split(/\s+/).map((key) => [name, key] as const));

describe("drop-ins", () => {
  const merge = (...sources: [string, ...string[]]) => {
    const [first, ...rest] = sources.map((source, index) => readLayer(source, `/${index}.toml`));
    if (first === undefined) throw new Error("no source");
    return mergeLayers([first, ...rest]);
  };

  it("win over what was read before, key by key", () => {
    const { config } = merge(
      "[hypervisor.qemu]\ndefault_vcpus = 2\ndefault_memory = 512",
      "[hypervisor.qemu]\ndefault_vcpus = 3",
      "hypervisor.qemu.default_vcpus = 4\n[agent.kata]\ndial_timeout = 1",
    );
    expect(config?.hypervisor).toMatchObject({ default_vcpus: 4, default_memory: 512 });
    expect(config?.agent.dial_timeout).toBe(1);
    expect(config).toMatchObject({ path: "/0.toml", dropIns: ["/1.toml", "/2.toml"] });
  });

  it("are named in their own problems, and all problems are told", () => {
    const { problems } = merge("[runtime]\na = 1", "", "\n[runtime]\nb = 1");
    expect(problems.map((problem) => problem.split(" ")[0])).toEqual(["/0.toml:2:", "/2.toml:3:"]);
  });

  it("are named when they contradict what another file says", () => {
    const { problems } = merge(
      "[hypervisor.qemu]\ndefault_memory = 512",
      "[hypervisor.qemu]\ndefault_maxmemory = 256",
    );
    expect(problems).toEqual([
      "/1.toml:2: [hypervisor.qemu] default_memory is 512, more than default_maxmemory, 256",
    ]);
  });
});

describe("restoreConfig", () => {
  it("gives back what was written as JSON", () => {
    const config = parse("[hypervisor.qemu]\ndefault_vcpus = 3\nvirtio_fs_extra_args = ['-d']");
    expect(restoreConfig(JSON.stringify(config), "/s.json")).toEqual(config);
  });

  it.each(["", "null", "{}", '{"path":"/x","dropIns":[]}'])("refuses %j", (json) => {
    expect(() => restoreConfig(json, "/s.json")).toThrow(/^\/s\.json: /);
  });

  it("refuses a value that no configuration has", () => {
    const json = JSON.stringify(parse("")).replace('"default_vcpus":1', '"default_vcpus":1e9');
    expect(() => restoreConfig(json, "/s.json")).toThrow(
      "/s.json: hypervisor.default_vcpus must be a number of vCPUs",
    );
  });
});

describe("renderTemplate", () => {
  it("is a file that parses to the defaults", () => {
    expect(parse(renderTemplate())).toEqual(parse(""));
  });

  it("is a file that parses to the defaults even when every comment sign before a key is taken away", () => {
    const all = renderTemplate().replaceAll(/^# (\w+ = )/gm, "$1");
    expect(all).toMatch(/^kernel = /m);
    expect(parse(all)).toEqual(parse(""));
  });

  it("sets what is overridden", () => {
    const config = parse(renderTemplate({ "hypervisor.qemu": { kernel: '/a "b"', default_vcpus: 3 } }));
    expect(config.hypervisor.kernel).toBe('/a "b"');
    expect(config.hypervisor.default_vcpus).toBe(3);
  });

  it("refuses an override that is no key, or has a wrong value", () => {
    expect(() => renderTemplate({ runtime: { nothing: 1 } })).toThrow("[runtime] has no key nothing");
    expect(() => renderTemplate({ runtime: { stop_timeout: -1 } })).toThrow("[runtime] stop_timeout must be");
  });
});

describe("renderDocs", () => {
  it("is docs/configuration.md", () => {
    const file = join(import.meta.dirname, "../../../docs/configuration.md");
    expect(readFileSync(file, "utf8"), "run make generate").toBe(renderDocs());
  });

  it("has a row for a key, with its default and an example", () => {
    expect(renderDocs()).toContain("| `default_vcpus` | a number of vCPUs from -1 to 240 | `1` |");
    expect(renderDocs()).toContain("Example: `2`.");
  });

  it("tells what is not supported, and which value is accepted", () => {
    expect(renderDocs()).toContain("| `enable_netmon` of [netmon] | `false` | ");
    expect(renderDocs()).toContain("| [hypervisor.clh] | | ");
  });
});

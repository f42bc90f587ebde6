import { type Refusal, refused } from "../key.ts";

const noImage = "the guest's root file system is its initrd (set initrd)";
const noBlock = "no block device is given to the virtual machine, files are shared by virtio-fs";
const noAnnotation = "there is no such key, so that no annotation sets it";
const noVirtioMem =
  "memory is added in modules (memory_slots); QEMU's virtio-mem has no interrupt that the guest takes";
const noOverhead = "a sandbox has default_vcpus and default_memory on top of what its containers ask for";
const noBus = "devices are on the machine's root bus";
const noVfio = "host devices are not passed through";
const noLimit = "network cards are not limited (limit the interface in its network namespace)";
const noVhostUser = "vhost-user devices other than the share are not supported";
const onlyQemu = "QEMU is the only hypervisor";
const noConfidential = "confidential guests are not supported";
const no9p = "it is the largest that QEMU and the guest agree on";
const noDump = "a guest that dies is not dumped; its last words are in the error";
const noNuma = "the virtual machine has one NUMA node";
const noSwap = "the guest has no swap";
const noTemplate = "set enable_template of [factory]";

/** Keys of [hypervisor.qemu] that upstream has (1.x and 3.x/4.x, both runtimes) and we do not. */
export const hypervisorRefused: Readonly<Record<string, Refusal>> = {
  image: refused(noImage, ""),
  rootfs_type: refused(noImage),
  vm_rootfs_driver: refused(noImage),
  kernel_verity_params: refused(noImage, ""),
  disable_image_nvdimm: refused(noImage, true),
  guest_extension_images: refused(noImage, []),
  firmware_volume: refused("firmware variables are not kept", ""),
  pflashes: refused("firmware is given by the key firmware", []),
  machine_accelerators: refused(
    "the machine's options are the runtime's (the key accelerator chooses KVM or TCG)",
    "",
  ),
  seccompsandbox: refused("QEMU's seccomp filter is always on, in its strictest form"),
  disable_seccomp: refused("QEMU's seccomp filter is always on", false),
  disable_nesting_checks: refused("nothing is changed for a host that is a virtual machine itself", true),
  disable_nested_virtualization: refused("name the CPU feature in cpu_features: -vmx or -svm"),
  hypervisor_loglevel: refused("set enable_debug"),
  use_legacy_serial: refused("the console is a serial port", true),
  extra_monitor_socket: refused("QEMU has no second monitor: whoever reaches one owns the sandbox", ""),
  use_vsock: refused("set agent_channel instead"),
  rootless: refused("QEMU runs without capabilities, but as root", false),
  disable_selinux: refused("no SELinux label is set", true),
  disable_guest_selinux: refused("no SELinux label is set in the guest", true),
  selinux_label: refused("no SELinux label is set", ""),

  memory_offset: refused("there is no memory that starts anywhere else", 0),
  enable_virtio_mem: refused(noVirtioMem, false),
  overhead_vcpus: refused(noOverhead),
  overhead_memory: refused(noOverhead),
  enable_swap: refused("the virtual machine's memory is not locked", true),
  file_mem_backend: refused("guest memory is anonymous memory, shared with virtiofsd", ""),
  hugepage_type: refused("huge pages are hugetlbfs's", "hugetlbfs"),
  enable_numa: refused(noNuma, false),
  numa_mapping: refused(noNuma, []),
  enable_guest_swap: refused(noSwap, false),
  guest_swap_path: refused(noSwap, ""),
  guest_swap_size_percent: refused(noSwap),
  guest_swap_create_threshold_secs: refused(noSwap),
  enable_iommu: refused("the guest has no IOMMU", false),
  enable_iommu_platform: refused("the guest has no IOMMU", false),

  default_bridges: refused(noBus, 0),
  hotplug_vfio_on_root_bus: refused(noVfio, false),
  pcie_root_port: refused(noVfio, 0),
  pcie_switch_port: refused(noVfio, 0),
  hot_plug_vfio: refused(noVfio, "no-port"),
  cold_plug_vfio: refused(noVfio, "no-port"),
  default_gpus: refused(noVfio, 0),
  default_gpu_model: refused(noVfio, ""),

  block_device_driver: refused(noBlock),
  block_device_aio: refused(noBlock),
  block_device_cache_set: refused(noBlock, false),
  block_device_cache_direct: refused(noBlock, false),
  block_device_cache_noflush: refused(noBlock, false),
  block_device_logical_sector_size: refused(noBlock, 0),
  block_device_physical_sector_size: refused(noBlock, 0),
  block_device_num_queues: refused(noBlock),
  block_device_queue_size: refused(noBlock),
  disable_block_device_use: refused(noBlock, true),
  enable_iothreads: refused(noBlock, false),
  indep_iothreads: refused(noBlock, 0),
  disk_rate_limiter_bw_max_rate: refused(noBlock, 0),
  disk_rate_limiter_bw_one_time_burst: refused(noBlock, 0),
  disk_rate_limiter_ops_max_rate: refused(noBlock, 0),
  disk_rate_limiter_ops_one_time_burst: refused(noBlock, 0),

  msize_9p: refused(no9p),
  virtio_fs_cache_size: refused("the share has no DAX window", 0),
  virtio_fs_is_dax: refused("the share has no DAX window", false),
  enable_vhost_user_store: refused(noVhostUser, false),
  vhost_user_store_path: refused(noVhostUser, ""),
  vhost_user_reconnect_timeout_sec: refused(noVhostUser, 0),

  network_queues: refused("a network card has one pair of queues", 1),
  rx_rate_limiter_max_rate: refused(noLimit, 0),
  tx_rate_limiter_max_rate: refused(noLimit, 0),
  net_rate_limiter_bw_max_rate: refused(noLimit, 0),
  net_rate_limiter_bw_one_time_burst: refused(noLimit, 0),
  net_rate_limiter_ops_max_rate: refused(noLimit, 0),
  net_rate_limiter_ops_one_time_burst: refused(noLimit, 0),

  guest_hook_path: refused("the guest's image has no hooks", ""),
  guest_memory_dump_path: refused(noDump, ""),
  guest_memory_dump_paging: refused(noDump, false),
  prefetch_list_path: refused("nothing is prefetched", ""),

  valid_jailer_paths: refused(noAnnotation, []),
  valid_ctlpaths: refused(noAnnotation, []),
  valid_file_mem_backends: refused(noAnnotation, [], [""]),
  valid_vhost_user_store_paths: refused(noAnnotation, []),

  confidential_guest: refused(noConfidential, false),
  sev_snp_guest: refused(noConfidential, false),
  snp_id_block: refused(noConfidential, ""),
  snp_id_auth: refused(noConfidential, ""),
  snp_guest_policy: refused(noConfidential),
  tdx_quote_generation_service_socket_port: refused(noConfidential),
  qgs_port: refused(noConfidential),
  measurement_algo: refused(noConfidential),
  initdata: refused(noConfidential, ""),

  jailer_path: refused(onlyQemu, ""),
  ctlpath: refused(onlyQemu, ""),
  remote_hypervisor_socket: refused(onlyQemu, ""),
  remote_hypervisor_timeout: refused(onlyQemu),
  factory: refused(noTemplate),
  boot_to_be_template: refused(noTemplate, false),
  boot_from_template: refused(noTemplate, false),
  memory_path: refused(noTemplate, ""),
  device_state_path: refused(noTemplate, ""),
};

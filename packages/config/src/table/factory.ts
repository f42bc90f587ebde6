import { count, flag, plainPath } from "../key.ts";

/** Virtual machines that are copies of one that has booted, or are made ahead. */
export const factory = {
  name: "factory",
  help: "Virtual machines that are copies of one that has booted, or are made ahead: sandboxes that need not wait for a boot (docs/templates.md).",
  keys: {
    enable_template: flag(false, {
      help: "Start a sandbox's virtual machine as a copy of a template, one that has booted and whose memory and state were saved. The first start makes the template, and makes it anew when kernel, initrd, QEMU or configuration have changed. What cannot be copied boots, and the log says why. All copies of a template share the addresses of their kernel (SECURITY.md).",
    }),
    template_path: plainPath("/run/vc/vm/template", {
      help: "Where templates are, best on a tmpfs: some 50 MB each. Sandboxes with one template_path share templates, others do not. The directory is made when it is not there; nobody but root may be able to write to it.",
    }),
    vm_cache_number: count(
      0,
      { min: 0, max: 1000, unit: "virtual machines" },
      {
        help: "How many virtual machines wait ready made for a sandbox of kata-runtime's. `kata-runtime factory init` makes them and stays, to make one more whenever one is taken. A sandbox whose configuration is another one, by its annotations for instance, starts its own. 0: none.",
      },
    ),
    vm_cache_endpoint: plainPath("/run/kata-containers/cache.sock", {
      help: "The socket at which they are taken.",
    }),
  },
  refused: {},
} as const;

import type { Globals } from "../globals.ts";
import { checkCgroups } from "./cgroups.ts";
import { checkConfiguration } from "./configuration.ts";
import { checkAgentChannel, checkEntropy, checkSecurityModules } from "./devices.ts";
import type { Finding } from "./finding.ts";
import { checkGuestKernel } from "./guest-kernel.ts";
import { checkHostKernel } from "./host-kernel.ts";
import { checkInitrd } from "./initrd.ts";
import { checkKvm } from "./kvm.ts";
import { checkMemory } from "./memory.ts";
import { checkNetwork } from "./network.ts";
import { checkPrograms } from "./programs.ts";
import { checkQemu } from "./qemu.ts";
import { checkStateDirectories } from "./state-directory.ts";
import { checkTemplate } from "./template.ts";
import { checkUser } from "./user.ts";
import { checkVirtiofsd } from "./virtiofsd.ts";

/**
 * Looks at all that a container needs of this host. What the configuration names is looked at only when it can be
 * read. Nothing is left behind; nothing is asked over the network.
 */
export async function checkHost({
  config: path,
  root,
}: Pick<Globals, "config" | "root">): Promise<Finding[]> {
  const { findings, config } = checkConfiguration(path);
  return [
    ...checkUser(),
    ...checkHostKernel(),
    ...(await checkCgroups()),
    ...checkStateDirectories(root),
    ...checkSecurityModules(),
    ...findings,
    ...(config === undefined
      ? []
      : [
          ...checkKvm(config),
          ...(await checkQemu(config)),
          ...(await checkVirtiofsd(config)),
          ...checkGuestKernel(config),
          ...checkInitrd(config),
          ...checkPrograms(config),
          ...checkAgentChannel(config),
          ...checkNetwork(config),
          ...checkEntropy(config),
          ...checkMemory(config),
          ...checkTemplate(config),
        ]),
  ];
}

import { KataError, type Ops } from "@kata-containers/sys";

export type Accelerator = "kvm" | "tcg";
export type AcceleratorChoice = { readonly accelerator: Accelerator; readonly warning: string | undefined };

/**
 * Decides how the guest's instructions run. `auto` takes KVM only if it really runs a guest: /dev/kvm opens on hosts
 * whose KVM then fails to emulate a stock kernel.
 * @throws KataError FailedPrecondition when `kvm` is demanded and not to be had.
 */
export function chooseAccelerator(
  setting: "auto" | "kvm" | "tcg",
  probe: Pick<Ops, "kvmProbe">,
): AcceleratorChoice {
  if (setting === "tcg") return { accelerator: "tcg", warning: undefined };
  const obstacle = kvmObstacle(probe);
  if (obstacle === undefined) return { accelerator: "kvm", warning: undefined };
  if (setting === "kvm") {
    throw new KataError(
      "FailedPrecondition",
      `cannot start VM: ${obstacle} (set accelerator = "auto" to run on software emulation)`,
    );
  }
  return { accelerator: "tcg", warning: `${obstacle}: the VM runs on software emulation, which is slow` };
}

function kvmObstacle(probe: Pick<Ops, "kvmProbe">): string | undefined {
  try {
    return probe.kvmProbe() ? undefined : "/dev/kvm: this kernel's KVM does not run a guest";
  } catch (error) {
    return `/dev/kvm: ${KataError.from(error).message}`;
  }
}

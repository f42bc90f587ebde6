import type { Row } from "./row.ts";

/**
 * What a container may in a VM because its kernel is not the host's. Not run with runc: there it is the host that would be changed, and a host
 * that is restricted itself (no CAP_SYS_RESOURCE) has no privileged containers.
 */
export const machine: readonly Row[] = [
  {
    name: "--privileged",
    script:
      "$run --rm --privileged box sh -c 'grep Seccomp: /proc/self/status; mount -t tmpfs none /tmp && echo mounted; echo 1 > /proc/sys/kernel/panic_on_oops && echo written; for disk in $(find /dev -type b); do (: < $disk) 2> /dev/null && echo $disk; done'",
    shows: "Seccomp:\t0\nmounted\nwritten\n",
    withoutRunc: true,
    kata: {
      shows: "Seccomp:\t0\nmounted\nwritten\n",
      why: "works, in the guest: with its devices, not the host's",
    },
  },
  {
    name: "a read-only volume, and a container that may mount it otherwise",
    script:
      "$run --rm --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined -v $dir:/v:ro box sh -c 'mount -o remount,bind,rw /v; touch /v/x' 2>&1; ls $dir",
    shows: "x\n",
    withoutRunc: true,
    kata: { shows: /Read-only file system\n$/, why: "is read-only all the same: on the host's side" },
  },
];

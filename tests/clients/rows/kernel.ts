import { one, type Row } from "./row.ts";

/** Sysctls, seccomp, namespaces of its own and of others. */
export const kernel: readonly Row[] = [
  {
    name: "--sysctl of the namespaces",
    script:
      "$run --rm --sysctl net.ipv4.ip_forward=1 --sysctl kernel.msgmax=4242 box cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax",
    shows: "1\n4242\n",
  },
  {
    name: "the default seccomp profile",
    script: "$run --rm --cap-add SYS_ADMIN box sh -c 'grep Seccomp: /proc/self/status'",
    shows: "Seccomp:\t2\n",
  },
  {
    name: "the default seccomp profile refuses user namespaces",
    only: "docker",
    script: "$run --rm box unshare -U true 2>&1",
    shows: "unshare: unshare(0x10000000): Operation not permitted\n",
  },
  {
    name: "seccomp=unconfined",
    script: "$run --rm --security-opt seccomp=unconfined box sh -c 'grep Seccomp: /proc/self/status'",
    shows: "Seccomp:\t0\n",
  },
  {
    name: "a seccomp profile of one's own",
    script: `echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28},{"names":["chmod","fchmodat"],"action":"SCMP_ACT_KILL_PROCESS"}]}' > $dir/p.json; $run --rm --security-opt seccomp=$dir/p.json box sh -c 'chmod 0 /etc; echo $?; mkdir /x 2>&1' 2> /dev/null`,
    shows: "159\nmkdir: can't create directory '/x': No space left on device\n",
  },
  {
    name: "--security-opt apparmor=unconfined, label=disable",
    script: "$run --rm --security-opt apparmor=unconfined --security-opt label=disable box echo runs",
    shows: "runs\n",
  },
  {
    name: "--security-opt systempaths=unconfined: nothing of /proc is masked",
    only: "docker",
    script:
      '$run --rm --security-opt systempaths=unconfined box sh -c \'mount | grep -c -e " on /proc/" -e " on /sys/firmware"\'',
    shows: "0\n",
  },
  {
    name: "--network none has the loopback alone",
    script: "$run --rm --network none box sh -c 'ls /sys/class/net; ip addr show lo | grep -o 127.0.0.1/8'",
    shows: "lo\n127.0.0.1/8\n",
  },
  {
    name: "--network host",
    script:
      "$run --rm --network host box readlink /proc/self/ns/net | grep -cF $(readlink /proc/self/ns/net)",
    shows: "1\n",
    kata: { shows: /(is|so) the host's: a virtual machine has no host networking[^:\n]*/, why: "refused" },
  },
  {
    name: "--network container:",
    script: `$run -d --name one --network none box sh -c 'echo hello > /tmp/x; while :; do nc -l -p 5000 < /tmp/x; done' > /dev/null; $run --rm --network container:one box sh -c 'for i in $(seq 50); do nc 127.0.0.1 5000 < /dev/null && break; sleep 0.1; done'`,
    shows: "hello\n",
    kata: {
      shows: /can't connect to remote host \(127\.0\.0\.1\): Connection refused/,
      why: "runs in a virtual machine of its own, whose loopback interface is another",
    },
  },
  {
    name: "--pid container:",
    script: `${one()}; $run --rm --pid container:one box sh -c 'cat /proc/1/cmdline | tr "\\0" " "; echo $(($$ > 1))'`,
    shows: /^sleep 1000 1\n/,
    kata: { shows: /linux\.namespaces: pid: only a container of a pod can join one/, why: "refused" },
  },
  {
    name: "--pid host",
    script: "$run --rm --pid host box sh -c 'cat /proc/1/comm'",
    shows: "sh\n",
    kata: { shows: /linux\.namespaces: pid: is missing, and so the host's: [^:\n]*/, why: "refused" },
  },
  {
    name: "--ipc container:",
    script: `${one("--ipc shareable")}; $c exec one sh -c 'echo shared > /dev/shm/x'; $run --rm --ipc container:one box cat /dev/shm/x`,
    shows: "shared\n",
    kata: { shows: /linux\.namespaces: ipc: only a container of a pod can join one/, why: "refused" },
  },
  {
    name: "--ipc host",
    script:
      "[ $($run --rm --ipc host box readlink /proc/self/ns/ipc) = $(readlink /proc/self/ns/ipc) ] && echo same",
    shows: "same\n",
    kata: { shows: /linux\.namespaces: ipc: is missing, and so the host's: [^:\n]*/, why: "refused" },
  },
  {
    name: "--ipc private is its own",
    script:
      "a=$(readlink /proc/self/ns/ipc); b=$($run --rm --ipc private box readlink /proc/self/ns/ipc); echo $b | cut -d: -f1; [ $a != $b ] && echo other",
    shows: "ipc\nother\n",
  },
  {
    name: "--uts host",
    script: "[ $($run --rm --uts host box hostname) = $(hostname) ] && echo same",
    shows: "same\n",
  },
  {
    name: "--userns host",
    script: "$run --rm --userns host box sh -c 'cat /proc/self/uid_map' | tr -s ' '",
    shows: " 0 0 4294967295\n",
  },
  {
    name: "a user namespace with other users",
    only: "podman",
    script:
      "$run --rm --uidmap 0:100000:1000 --gidmap 0:200000:1000 box sh -c 'cat /proc/self/uid_map /proc/self/gid_map; id; touch /tmp/x && stat -c %u /tmp/x' | tr -s ' '",
    shows: /^ 0 100000 1000\n 0 200000 1000\nuid=0/,
  },
  {
    // `--userns keep-id` is rootless podman's alone.
    name: "--userns container:",
    only: "podman",
    script:
      "$run -d --name one --uidmap 0:100000:1000 --gidmap 0:100000:1000 box sleep 1000 > /dev/null; $run --rm --userns container:one box sh -c 'id -u; cat /proc/self/uid_map' | tr -s ' '",
    shows: "0\n 0 100000 1000\n",
    kata: { shows: /linux\.namespaces: user: \S+ is the host's kernel's[^:\n]*/, why: "refused" },
  },
  {
    name: "--cgroupns private",
    script: "$run --rm --cgroupns private box cat /proc/self/cgroup | sed 's/.*://' | sort -u",
    shows: "/\n",
  },
];

import type { Row } from "./row.ts";

/**
 * Has an orphan end, waits until nobody knows it any more, and counts the dead that wait for somebody. Process 1 of a container without an
 * init would leave it there.
 */
const REAPED =
  '(true & echo $! > /tmp/orphan); until [ ! -e /proc/$(cat /tmp/orphan) ]; do sleep 0.1; done; cat /proc/[0-9]*/stat 2> /dev/null | grep -c ") Z "';

/** The process: status, streams, command, environment, limits of its own. */
export const processes: readonly Row[] = [
  { name: "the exit status of the command", script: "$run --rm box sh -c 'exit 42'; echo $?", shows: "42\n" },
  {
    name: "standard input, output and error",
    script: "echo in | $run --rm -i box sh -c 'cat; echo err >&2' 2>&1 | sort",
    shows: "err\nin\n",
  },
  {
    name: "a megabyte of output is whole",
    script: "$run --rm box sh -c 'dd if=/dev/zero bs=1024 count=1024 2> /dev/null' | wc -c",
    shows: "1048576\n",
  },
  {
    name: "a command that is not there: 127",
    script: "$run --rm box no-such-command 2> /dev/null; echo $?",
    shows: "127\n",
  },
  {
    name: "a path that is not there: 127",
    script: "$run --rm box /no/such/command 2> /dev/null; echo $?",
    shows: "127\n",
  },
  {
    name: "a file that cannot be executed: 126",
    script: "$run --rm box /etc/passwd 2> /dev/null; echo $?",
    shows: "126\n",
  },
  {
    name: "--workdir, which is made",
    only: "docker",
    script: "$run --rm -w /made/for/it box pwd",
    shows: "/made/for/it\n",
  },
  {
    name: "--env, --env-file, --hostname",
    script:
      "echo FILE=f > $dir/env; $run --rm -e ONE=1 --env-file $dir/env --hostname h box sh -c 'env | grep -v container= | sort; hostname'",
    shows: /FILE=f\nHOME=\/root\nHOSTNAME=h\nONE=1\n[\s\S]*h\n$/,
  },
  { name: "--entrypoint", script: "$run --rm --entrypoint echo box hello", shows: "hello\n" },
  {
    name: "--init reaps orphans",
    only: "docker",
    script: `$run --rm --init box sh -c 'cat /proc/1/comm; ${REAPED}'`,
    shows: "docker-init\n0\n",
  },
  {
    name: "--init --init-path reaps orphans",
    only: "podman",
    // Debian's podman recommends catatonit, which need not be there; docker's init will do.
    script: `$run --rm --init --init-path /usr/bin/docker-init box sh -c 'cat /proc/1/comm; ${REAPED}'`,
    shows: /^(podman-)?init\n0\n$/,
  },
  {
    name: "--ulimit",
    script:
      "$run --rm --ulimit nofile=100:200 --ulimit core=0 --ulimit nproc=500 box sh -c 'ulimit -Sn; ulimit -Hn; ulimit -c'",
    shows: "100\n200\n0\n",
  },
  {
    name: "--oom-score-adj",
    script: "$run --rm --oom-score-adj 500 box cat /proc/self/oom_score_adj",
    shows: "500\n",
  },
];

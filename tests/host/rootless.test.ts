import { expect, test } from "vitest";
import { writeImage } from "../harness/image.ts";
import { repository, Scratch } from "../harness/programs.ts";
import { Bundle } from "../runk/bundle.ts";
import { useHost } from "./machine.ts";

/** A user who has logged in, and whose own systemd makes the scopes of containers. */

const MINUTE = 60_000;
const RUNK = `${repository}/build/bin/runk`;
const EATS_MEMORY = "x=aaaaaaaa; while :; do x=$x$x; done";

/** The cgroup of the user's systemd, and `as_user COMMAND...`. */
const USER = `
  id u > /dev/null 2>&1 || {
    useradd --create-home --uid 1000 u
    loginctl enable-linger u
    for _ in $(seq 300); do test -S /run/user/1000/bus && break; sleep 0.2; done
  }
  own=/user.slice/user-1000.slice/user@1000.service
  as_user() {
    (cd /home/u && exec timeout 120 setpriv --reuid 1000 --regid 1000 --clear-groups \\
      env -i HOME=/home/u USER=u PATH=$PATH XDG_RUNTIME_DIR=/run/user/1000 "$@")
  }`;

const host = useHost();

test(
  "a scope of the user's systemd holds runk's container, with limits that outlive a reload, and goes with it",
  async () => {
    const bundle = new Bundle((spec) => {
      spec.process.args = ["sleep", "1000"];
      spec.linux.resources = { memory: { limit: 64 << 20 }, pids: { limit: 40 } };
    });
    try {
      const { stdout, stderr } = await host().run(
        `
        ${USER}
        cp -a /host${bundle.path} /home/u/bundle && chown -R u:u /home/u/bundle
        as_user ${RUNK} spec --bundle /home/u --rootless
        as_user python3 -c '
import json
spec, rootless = (json.load(open(name)) for name in ("bundle/config.json", "config.json"))
rootless["process"].update(args=["sleep", "1000"], terminal=False)
rootless["linux"]["resources"] = spec["linux"]["resources"]
json.dump(rootless, open("bundle/config.json", "w"))'
        runk="as_user ${RUNK} --systemd-cgroup"
        scope=/sys/fs/cgroup$own/user.slice/runk-one.scope
        $runk run --detach --bundle bundle one > out 2>&1 < /dev/null || cat out
        # Nobody moves a process into the user's cgroups from outside of them.
        as_user systemd-run --user --quiet --scope ${RUNK} --systemd-cgroup exec one cat /proc/self/cgroup
        as_user systemctl --user show -p Slice,Delegate,MemoryMax,TasksMax runk-one.scope
        as_user systemctl --user daemon-reload
        (cd $scope && cat memory.max pids.max)
        $runk update --memory 50331648 --pids-limit 30 one
        as_user systemctl --user show -p MemoryMax,TasksMax runk-one.scope; cat $scope/memory.max
        $runk ps --format json one | grep -c '^\\[[0-9, ]*\\]$'
        $runk delete --force one; echo "deleted: $?"
        ls -d $scope; as_user systemctl --user list-units --all --no-legend 'runk-*'
        as_user env XDG_RUNTIME_DIR=/nosuch ${RUNK} --systemd-cgroup --root /home/u/state run --bundle bundle two; echo "without a bus: $?"
        `,
        3 * MINUTE,
      );
      expect(stdout.split("\n"), stderr).toEqual([
        // The root of the container's cgroup namespace.
        "0::/",
        ...["Slice=user.slice", "Delegate=yes", "MemoryMax=67108864", "TasksMax=40"],
        ...["67108864", "40"],
        ...["MemoryMax=50331648", "TasksMax=30", "50331648"],
        "1",
        "deleted: 0",
        "without a bus: 1",
        "",
      ]);
      expect(stderr).toContain("no message bus of this user's systemd at /nosuch/bus: log in");
    } finally {
      await bundle.close();
    }
  },
  4 * MINUTE,
);

test(
  "rootless podman as it comes: run, exec, limits of memory (137) and pids, pause, update, stop; the scopes go",
  async () => {
    using scratch = new Scratch();
    const tar = `/host${writeImage(scratch.path)}`;
    const { stdout, stderr } = await host().run(
      `
      ${USER}
      install -o u ${tar} /home/u/box.tar
      p="as_user podman --runtime ${RUNK}"
      $p info -f '{{.Host.CgroupManager}} {{.Host.Security.Rootless}}'
      $p import box.tar box > /dev/null
      $p run --rm --network none box sh -c 'id -u; exit 7'; echo "status: $?"
      $p run --network none -m 32m --name eater box sh -c '${EATS_MEMORY}'; echo "status: $?"
      $p run -d --network none --pids-limit 20 --name long box sleep 1000 > /dev/null
      scope=/sys/fs/cgroup$own/user.slice/libpod-$($p inspect -f '{{.Id}}' long).scope
      cat $scope/pids.max; grep -c . $scope/cgroup.procs
      $p exec long sh -c 'exit 3'; echo "exec: $?"
      $p pause long > /dev/null; cat $scope/cgroup.freeze; $p unpause long > /dev/null; cat $scope/cgroup.freeze
      $p update --memory 64m long > /dev/null; cat $scope/memory.max
      $p stop -t 1 long > /dev/null; $p inspect -f '{{.State.ExitCode}}' long
      $p rm eater long > /dev/null; echo "removed: $?"
      as_user systemctl --user list-units --all --no-legend 'libpod-*' | grep -v conmon
      ls /run/user/1000/runk
      `,
      8 * MINUTE,
    );
    expect(stdout.split("\n"), stderr).toEqual([
      "systemd true",
      ...["0", "status: 7", "status: 137"],
      ...["20", "1", "exec: 3", "1", "0", "67108864"],
      ...["137", "removed: 0", ""],
    ]);
  },
  9 * MINUTE,
);

import { compareRuntimes } from "./compare.ts";
import { startDocker } from "./engine.ts";
import type { Row } from "./rows/row.ts";

/** dockerd's option that gives every container a user namespace: its users are others of the host's. */
const rows: readonly Row[] = [
  {
    name: "--userns-remap: the container's root is another user on the host",
    script:
      "$run --rm box sh -c 'id -u; cat /proc/self/uid_map /proc/self/gid_map; touch /tmp/x && stat -c %u /tmp/x' | tr -s ' '",
    shows: "0\n 0 100000 65536\n 0 100000 65536\n0\n",
  },
  {
    name: "--userns-remap: files of a volume are that user's",
    script:
      "chmod 777 $dir; echo > $dir/host; $run --rm -v $dir:/v box sh -c 'touch /v/x; stat -c %u /v/x /v/host'; stat -c %u $dir/x",
    shows: "0\n65534\n100000\n",
  },
  {
    name: "--userns-remap: exec, the network, cp",
    script:
      "$run -d --name one box sh -c 'while :; do echo hello | nc -l -p 5000; done' > /dev/null; $c exec one cat /proc/self/uid_map | tr -s ' '; address=$($c inspect -f '{{.NetworkSettings.IPAddress}}' one); until busybox nc $address 5000 < /dev/null | grep hello; do sleep 0.1; done; echo in > $dir/in; $c cp $dir/in one:/tmp/in; $c exec one stat -c %u /tmp/in; $c exec one cat /tmp/in",
    shows: " 0 100000 65536\nhello\n0\nin\n",
  },
  {
    name: "--userns-remap with --userns host",
    script: "$run --rm --userns host box cat /proc/self/uid_map | tr -s ' '",
    shows: " 0 0 4294967295\n",
  },
];

/** The engine's directories have to be open to that user, and the user's numbers be known. */
const prepare = ({ path }: { path: string }) => `
  chmod 711 ${path}
  echo nobody:100000:65536 > ${path}/subordinate
  for file in /etc/subuid /etc/subgid; do mount --bind ${path}/subordinate $file; done`;

compareRuntimes(
  () => startDocker({ settings: { "userns-remap": "nobody:nogroup" }, prepare }),
  rows,
  "kata",
  "docker-userns-remap",
);

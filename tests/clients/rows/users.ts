import { CAPS, type Row } from "./row.ts";

/** Who it is, and what it may. */
export const users: readonly Row[] = [
  { name: "root by default", script: "$run --rm box id", shows: /^uid=0\(root\) gid=0\(root\)/ },
  {
    name: "--user by name, with the groups that it is in",
    script: "$run --rm --user alice box sh -c 'id; echo $HOME'",
    shows: "uid=1000(alice) gid=1000(alice) groups=50(staff),1000(alice)\n/home/alice\n",
  },
  {
    name: "--user by number, also one that nobody has",
    script: "$run --rm --user 4242:4343 box id",
    shows: /^uid=4242\b.* gid=4343\b/,
  },
  {
    name: "--user NAME:GROUP",
    script: "$run --rm --user alice:staff box id",
    shows: /^uid=1000\(alice\) gid=50\(staff\)/,
  },
  {
    name: "--group-add",
    script: "$run --rm --user alice --group-add 77 --group-add staff box id -G",
    shows: /\b77\b/,
  },
  {
    name: "capabilities by default",
    script: `$run --rm box ${CAPS}`,
    shows: /CapEff:\t00000000[0-9a-f]*[1-9a-f][0-9a-f]*\n/,
  },
  { name: "capabilities of a user", script: `$run --rm --user alice box ${CAPS}`, shows: /CapEff:\t0{16}\n/ },
  {
    name: "--cap-drop ALL",
    script: `$run --rm --cap-drop ALL box ${CAPS}; $run --rm --cap-drop ALL box chown 1 /etc/passwd 2>&1`,
    shows: /CapBnd:\t0{16}\n[\s\S]*Operation not permitted/,
  },
  {
    name: "--cap-drop ALL --cap-add CHOWN",
    script: `$run --rm --cap-drop ALL --cap-add CHOWN box ${CAPS}; $run --rm --cap-drop ALL --cap-add CHOWN box chown 1 /etc/passwd; echo $?`,
    shows: /CapEff:\t0{15}1\n[\s\S]*\n0\n$/,
  },
  {
    name: "--cap-add SYS_ADMIN allows to mount",
    script: "$run --rm --cap-add SYS_ADMIN box sh -c 'mount -t tmpfs none /tmp && echo mounted'",
    shows: "mounted\n",
  },
  {
    name: "no-new-privileges",
    script: `$run --rm --security-opt no-new-privileges box ${CAPS}`,
    shows: /NoNewPrivs:\t1\n/,
  },
];

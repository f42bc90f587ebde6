import { one, type Row } from "./row.ts";

/** Volumes, tmpfs, devices, what is there by default. */
export const files: readonly Row[] = [
  {
    name: "--tmpfs with size and mode, which is full at its size",
    script:
      "$run --rm --tmpfs /scratch:size=64k,mode=1777 box sh -c 'stat -c %a /scratch; mount | grep /scratch | grep -o size=[0-9]*k; dd if=/dev/zero of=/scratch/x bs=1k count=100 2>&1 | grep -o No.space.*'",
    shows: "1777\nsize=64k\nNo space left on device\n",
  },
  {
    name: "a volume of a directory, written from both sides",
    script:
      "echo host > $dir/a; $run --rm -v $dir:/v box sh -c 'cat /v/a; echo container > /v/b'; cat $dir/b",
    shows: "host\ncontainer\n",
  },
  {
    name: "a volume that is read-only",
    script: "$run --rm -v $dir:/v:ro box touch /v/x 2>&1; ls $dir",
    shows: /Read-only file system\n$/,
  },
  {
    name: "a volume of one file",
    script: "echo one > $dir/file; $run --rm -v $dir/file:/etc/one box cat /etc/one",
    shows: "one\n",
  },
  {
    name: "--mount type=bind with propagation",
    script:
      "$run --rm --mount type=bind,source=$dir,target=/v,bind-propagation=rslave box sh -c 'grep \" /v \" /proc/self/mountinfo | grep -o master'",
    shows: "master\n",
    kata: { shows: "", why: "mounts are private: the host's kernel tells the guest's of none" },
  },
  {
    name: "a named volume has the image's files and keeps what is written",
    script:
      "$run --rm -v data:/srv box sh -c 'cat /srv/greeting; echo new > /srv/new'; $run --rm -v data:/v box cat /v/new; $c volume rm data",
    shows: "from the image\nnew\ndata\n",
  },
  {
    name: "--volumes-from",
    script: `${one("-v $dir:/v")}; echo shared > $dir/x; $run --rm --volumes-from one box cat /v/x`,
    shows: "shared\n",
  },
  {
    name: "--read-only",
    script:
      "$run --rm --read-only box touch /x 2>&1; $run --rm --read-only --tmpfs /tmp box sh -c 'touch /tmp/x && echo can'",
    shows: /Read-only file system\ncan\n$/,
  },
  {
    name: "--shm-size",
    script: "$run --rm --shm-size 1m box sh -c 'mount | grep /dev/shm | grep -o size=[0-9]*k'",
    shows: "size=1024k\n",
  },
  {
    name: "--device, allowed as far as said",
    script:
      "$run --rm --device /dev/fuse:/dev/mine:r box sh -c 'ls -l /dev/mine | cut -c 1; (: < /dev/mine) && echo reads; (: > /dev/mine) 2>&1'",
    shows: /^c\nreads\n.*Operation not permitted\n$/,
  },
  {
    name: "a device that was not given cannot be opened",
    script: "$run --rm --cap-add MKNOD box sh -c 'mknod /tmp/d b 7 0 && cat /tmp/d' 2>&1",
    shows: /Operation not permitted/,
  },
  {
    name: "--device-cgroup-rule",
    script:
      "$run --rm --device-cgroup-rule 'c 10:200 rw' box sh -c 'mknod /tmp/tun c 10 200 && (: < /tmp/tun) 2>&1 | grep -c \"not permitted\"'",
    shows: "0\n",
  },
  {
    name: "devices, mounts and what is masked by default",
    script:
      '$run --rm box sh -c \'ls /dev; ls /sys/firmware /proc/acpi 2>&1; cat /proc/keys /proc/timer_list | wc -c; (echo 1 > /proc/sys/kernel/msgmax) 2>&1; mount | grep -v -e " / " -e devtmpfs -e " on /sys/fs/cgroup type tmpfs" -e " on /etc" -e "^tmpfs on /\\(proc\\|sys\\|run\\)/" | sort | sed s/kata-clients-[A-Za-z0-9]*//\'',
    shows: /^fd\nfull\n[\s\S]*Read-only file system\n[\s\S]* on \/proc\/sys type proc \(ro,/,
    kata: {
      shows: /^core\nfd\nfull\n[\s\S]*Read-only file system\n[\s\S]* on \/proc\/sys type proc \(ro,/,
      why: "the guest's kernel has /proc/kcore and cgroup v2",
    },
  },
];

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
    name: "a read-only volume below one that is not, and the other way round",
    script:
      "mkdir -p $dir/a/ro $dir/b $dir/c/rw $dir/d; $run --rm -v $dir/a:/a -v $dir/b:/a/ro:ro -v $dir/c:/c:ro -v $dir/d:/c/rw box sh -c 'for d in /a /a/ro /c /c/rw; do touch $d/x && echo $d; done' 2> /dev/null; find $dir -name x | wc -l",
    shows: "/a\n/c/rw\n2\n",
  },
  {
    name: "a file system that is mounted below a read-only volume",
    script:
      "mkdir $dir/sub; mount -t tmpfs none $dir/sub; $run --rm -v $dir:/v:ro box sh -c 'touch /v/sub/x && echo written' 2>&1; umount $dir/sub",
    shows: "written\n",
    kata: { shows: /Read-only file system\n$/, why: "read-only with all that is mounted below it" },
  },
  {
    name: "what the host changes in a volume is seen: contents, new files, files that are gone",
    script: `echo one > $dir/file; echo > $dir/old; ${one("-v $dir:/v")}; $c exec one cat /v/file; $c exec one ls /v; echo two > $dir/file; rm $dir/old; echo > $dir/new; $c exec one sh -c 'until grep -q two /v/file && [ -e /v/new ] && [ ! -e /v/old ]; do sleep 0.1; done; cat /v/file; ls /v'`,
    shows: "one\nfile\nold\ntwo\nfile\nnew\n",
  },
  {
    name: "a secret that is swapped by a symbolic link, as kubernetes does, is seen",
    script: `mkdir $dir/..1 $dir/..2; echo first > $dir/..1/token; echo second > $dir/..2/token; ln -s ..1 $dir/..data; ln -s ..data/token $dir/token; ${one("-v $dir:/secret:ro")}; $c exec one cat /secret/token; ln -s ..2 $dir/..next; mv -T $dir/..next $dir/..data; rm -r $dir/..1; $c exec one sh -c 'until grep -q second /secret/token; do sleep 0.1; done; cat /secret/token'`,
    shows: "first\nsecond\n",
  },
  {
    name: "files of two file systems are never taken for one, whatever their inode numbers",
    script: `mkdir $dir/a $dir/b; for d in $dir/a $dir/b; do mount -t tmpfs none $d; touch $d/x; done; [ $(stat -c %i $dir/a/x) = $(stat -c %i $dir/b/x) ] && echo alike; $run --rm -v $dir/a:/a -v $dir/b:/b -v $dir:/both box sh -c 'stat -c %d:%i /a/x /b/x | sort -u | wc -l; stat -c %d:%i /both/a/x /both/b/x | sort -u | wc -l'; umount $dir/a $dir/b`,
    shows: "alike\n2\n2\n",
  },
  {
    name: "diff, commit and export have what was made, changed and removed",
    script: `$run --name one box sh -c 'echo new > /srv/new; rm /srv/greeting; mkdir /made; chown 1000:50 /made; chmod 2750 /made; ln -s /srv/new /link; mkfifo /fifo'; $c diff one | sort; $c commit one mine > /dev/null 2>&1; $run --rm mine sh -c 'ls /srv; cat /link; stat -c "%a %u %g" /made; ls -l /fifo | cut -c 1'; mkdir $dir/out; $c export one | tar -C $dir/out -xf -; ls $dir/out/srv; stat -c "%a %u %g" $dir/out/made; readlink $dir/out/link; $remove one > /dev/null; $c rmi mine > /dev/null`,
    shows:
      /A \/fifo\nA \/link\nA \/made\n[\s\S]*D \/srv\/greeting\n[\s\S]*new\nnew\n2750 1000 50\np\nnew\n2750 1000 50\n\/srv\/new\n$/,
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
    name: "--device of the host's hardware or kernel",
    script: "$run --rm --device /dev/net/tun box ls -l /dev/net/tun | cut -c 1",
    shows: "c\n",
    kata: {
      shows: /linux\.devices\[\d+\]: \/dev\/net\/tun \(c 10:200\) is a device of the host's[^:\n]*/,
      why: "refused",
    },
  },
  {
    name: "a device that was not given cannot be opened",
    script: "$run --rm --cap-add MKNOD box sh -c 'mknod /tmp/d b 7 0 && cat /tmp/d' 2>&1",
    shows: /Operation not permitted/,
  },
  {
    name: "--device-cgroup-rule",
    script:
      "$run --rm --cap-add MKNOD --device-cgroup-rule 'c 10:200 rw' box sh -c 'mknod /tmp/tun c 10 200 && (: < /tmp/tun) 2>&1 | grep -c \"not permitted\"'",
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

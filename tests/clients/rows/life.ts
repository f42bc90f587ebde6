import { CAPS, one, type Row } from "./row.ts";

/** From create to remove: exec, terminals, signals, pause, networks of the engine. */
export const life: readonly Row[] = [
  {
    name: "exec: status, user, environment, directory, input",
    script: `${one()}; echo in | $c exec -i -u alice -w /tmp -e A=b one sh -c 'id -un; pwd; echo $A; cat; exit 9'; echo $?`,
    shows: "alice\n/tmp\nb\nin\n9\n",
  },
  {
    name: "exec has the container's namespaces, capabilities and control groups",
    script: `${one("--cap-drop ALL")}; $c exec one ${CAPS}; $c exec one sh -c 'for n in mnt pid net ipc uts; do [ $(readlink /proc/1/ns/$n) = $(readlink /proc/self/ns/$n) ] && echo $n; done; cmp /proc/1/cgroup /proc/self/cgroup && echo cgroup'`,
    shows: /CapEff:\t0{16}\n[\s\S]*mnt\npid\nnet\nipc\nuts\ncgroup\n$/,
  },
  {
    name: "exec of what is not there: 127, of what cannot be executed: 126",
    script: `${one()}; $c exec one no-such > /dev/null 2>&1; echo $?; $c exec one /etc/passwd > /dev/null 2>&1; echo $?`,
    shows: /^12[67]\n126\n$/,
  },
  {
    name: "exec --detach",
    script: `${one()}; $c exec -d one sh -c 'echo done > /tmp/x' > /dev/null; $c exec one sh -c 'until cat /tmp/x 2> /dev/null; do sleep 0.1; done'`,
    shows: "done\n",
  },
  {
    name: "a terminal",
    script:
      "$run --rm -t box sh -c 'tty; test -t 0 && test -t 1 && test -t 2 && echo terminal; ls -l /dev/console | cut -c 1' | tr -d '\\r'",
    shows: "/dev/pts/0\nterminal\nc\n",
  },
  {
    name: "a terminal of a user's own, and its size",
    script: `mkfifo $dir/in; exec 3<> $dir/in; script -qec "stty rows 40 cols 100; $run --rm -it --user alice box sh -c 'until [ \\"\\$(stty size 2> /dev/null)\\" = \\"40 100\\" ]; do sleep 0.1; done; echo > /proc/self/fd/0 && echo sized'" /dev/null <&3 | tr -d '\\r\\n'`,
    shows: "sized",
  },
  {
    name: "a terminal in exec",
    script: `${one()}; $c exec -t one sh -c 'tty; echo $TERM' | tr -d '\\r'`,
    shows: /^\/dev\/pts\/0\n/,
  },
  {
    name: "stop sends TERM, and takes the status of what it does",
    script:
      "$run -d --name one box sh -c 'trap \"exit 5\" TERM; echo ready; while :; do sleep 0.1; done' > /dev/null; until $c logs one | grep -q ready; do sleep 0.1; done; $c stop -t 30 one; $c inspect -f '{{.State.ExitCode}}' one",
    shows: "one\n5\n",
  },
  {
    name: "stop kills what does not listen: 137",
    script: `${one()}; $c stop -t 1 one 2> /dev/null; $c inspect -f '{{.State.ExitCode}} {{.State.Running}}' one`,
    shows: "one\n137 false\n",
  },
  {
    name: "--stop-signal",
    script:
      "$run -d --name one --stop-signal USR1 box sh -c 'trap \"exit 6\" USR1; echo ready; while :; do sleep 0.1; done' > /dev/null; until $c logs one | grep -q ready; do sleep 0.1; done; $c stop -t 30 one; $c inspect -f '{{.State.ExitCode}}' one",
    shows: "one\n6\n",
  },
  {
    name: "kill with a signal",
    script:
      "$run -d --name one box sh -c 'trap \"echo hup\" HUP; echo ready; while :; do sleep 0.1; done' > /dev/null; until $c logs one | grep -q ready; do sleep 0.1; done; $c kill -s HUP one; until $c logs one | grep hup; do sleep 0.1; done; $c kill one; $c wait one",
    shows: "one\nhup\none\n137\n",
  },
  {
    name: "signals reach the container through the client",
    script:
      "$run --name one box sh -c 'trap \"exit 7\" TERM; echo ready; while :; do sleep 0.1; done' & client=$!; until $c logs one 2> /dev/null | grep -q ready; do sleep 0.1; done; kill $client; wait $client; echo $?",
    shows: "ready\n7\n",
  },
  {
    name: "pause stops it, unpause goes on",
    script: `$run -d --name one box sh -c 'i=0; while :; do i=$((i+1)); echo $i > /tmp/i; sleep 0.01; done' > /dev/null; $c pause one > /dev/null; $c inspect -f '{{.State.Status}}' one; $c exec one true > /dev/null 2>&1; echo $(($? > 0)); $c unpause one > /dev/null; $c inspect -f '{{.State.Status}}' one; $c exec one sh -c 'a=$(cat /tmp/i); until [ "$(cat /tmp/i)" != "$a" ]; do :; done; echo counts'`,
    shows: "paused\n1\nrunning\ncounts\n",
  },
  {
    name: "a paused container is removed by force",
    script: `${one()}; $c pause one > /dev/null; $remove one > /dev/null; $c ps -aq | wc -l`,
    shows: "0\n",
  },
  {
    name: "create, start --attach, start again",
    script:
      "$create --name one box sh -c 'echo hello; exit 3' > /dev/null; $c start -a one; echo $?; $c start -a one; echo $?",
    shows: "hello\n3\nhello\n3\n",
  },
  {
    name: "restart",
    script: `$run -d --name one box sh -c 'echo started >> /log; sleep 1000' > /dev/null; $c exec one sh -c 'until [ -s /log ]; do sleep 0.1; done'; $c restart -t 0 one > /dev/null; $c exec one sh -c 'until [ $(wc -l < /log) = 2 ]; do sleep 0.1; done; cat /log'`,
    shows: "started\nstarted\n",
  },
  {
    name: "top",
    script: `${one()}; $c top one -o pid,args | grep -o 'sleep 1000'`,
    shows: /sleep 1000/,
    kata: {
      shows: /^$/,
      why: "docker asks the host's ps, which knows kata-shim alone (kata-runtime ps shows the guest's)",
    },
    only: "docker",
  },
  {
    name: "cp into a container that runs, and out of it",
    script: `${one()}; echo in > $dir/in; $c cp $dir/in one:/tmp/x; $c exec one cat /tmp/x; $c cp one:/srv/greeting $dir/out; cat $dir/out`,
    shows: "in\nfrom the image\n",
  },
  {
    name: "a container that is removed by itself",
    script: `$run -d --rm --name one box sleep 1000 > /dev/null; $c kill one > /dev/null; until [ $($c ps -aq | wc -l) = 0 ]; do sleep 0.1; done; echo gone`,
    shows: "gone\n",
  },
  {
    name: "five containers at once",
    script: `for i in 1 2 3 4 5; do $run --rm box echo $i & done | sort; wait`,
    shows: "1\n2\n3\n4\n5\n",
  },
  {
    name: "two containers that find each other by name",
    only: "docker",
    script: `$c network create --subnet 10.88.77.0/24 mine > /dev/null; $run -d --name one --network mine box sh -c 'echo hello > /tmp/x; while :; do nc -l -p 5000 < /tmp/x; done' > /dev/null; $run --rm --network mine box sh -c 'for i in $(seq 50); do nc one 5000 < /dev/null && break; sleep 0.1; done'; $remove one > /dev/null; $c network rm mine`,
    shows: "hello\nmine\n",
  },
  {
    name: "--link",
    only: "docker",
    script: `$run -d --name one box sh -c 'echo hello > /tmp/x; while :; do nc -l -p 5000 < /tmp/x; done' > /dev/null; $run --rm --link one:server box sh -c 'until nc server 5000 < /dev/null 2> /dev/null; do sleep 0.1; done'`,
    shows: "hello\n",
  },
  {
    name: "a published port",
    only: "docker",
    script: `$run -d --name one -p 127.0.0.1:5000:5000 box sh -c 'echo hello > /tmp/x; while :; do nc -l -p 5000 < /tmp/x; done' > /dev/null; until busybox nc 127.0.0.1 5000 < /dev/null | grep hello; do sleep 0.1; done`,
    shows: "hello\n",
  },
  {
    name: "a health check",
    only: "docker",
    script: `$run -d --name one --health-cmd 'test -e /srv/greeting' --health-interval 1s box sleep 1000 > /dev/null; until [ "$($c inspect -f '{{.State.Health.Status}}' one)" = healthy ]; do sleep 0.1; done; echo healthy`,
    shows: "healthy\n",
  },
];

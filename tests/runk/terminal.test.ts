import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { eventually } from "../harness/process.ts";
import { Bundle, script } from "./bundle.ts";

let bundle: Bundle;
afterEach(() => bundle.close());

const terminal = (text: string) => (spec: Parameters<ReturnType<typeof script>>[0]) => {
  script(text)(spec);
  spec.process.terminal = true;
  spec.process.consoleSize = { height: 33, width: 77 };
};

test("a terminal needs a console socket when nobody stays", () => {
  bundle = new Bundle(terminal("true"));
  expect(bundle.runk("create", bundle.id()).stderr).toContain(
    "cannot allocate tty if runk will detach without setting console socket",
  );
  bundle.configure(script("true"));
  expect(bundle.runk("create", "--console-socket", "/x", bundle.id()).stderr).toContain(
    "cannot use console socket",
  );
});

/** Takes one descriptor from a console socket and copies it to stdout until its end: Node cannot receive descriptors. */
const RECEIVER = `
import os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1]); server.listen(1); print("listening", flush=True)
data, fds, _, _ = socket.recv_fds(server.accept()[0], 4096, 1)
while True:
    try: chunk = os.read(fds[0], 4096)
    except OSError: break
    if not chunk: break
    os.write(1, chunk)
`;

test("the master goes over the console socket; the slave is the container's stdio, console and controlling terminal", async () => {
  bundle = new Bundle(
    terminal(
      "tty; stty size; [ -c /dev/console ] && echo console; echo to-tty > /dev/tty; mount | grep -c 'devpts on /dev/console'",
    ),
  );
  const socket = join(bundle.path, "console.sock");
  const receiver = spawn("python3", ["-c", RECEIVER, socket], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  receiver.stdout.on("data", (chunk) => (output += chunk));
  await eventually("listening", () => output.includes("listening") || undefined, 5_000);
  const id = bundle.id();
  expect(bundle.runk("create", "--console-socket", socket, id)).toMatchObject({ status: 0, stderr: "" });
  expect(bundle.runk("start", id).status).toBe(0);
  await once(receiver, "exit");
  expect(output.replaceAll("\r", "")).toBe("listening\n/dev/pts/0\n33 77\nconsole\nto-tty\n1\n");
});

test("run in the foreground joins our terminal with the container's", () => {
  bundle = new Bundle(terminal("tty; echo done; exit 3"));
  const command = bundle.command("run", "--bundle", bundle.path, bundle.id()).join(" ");
  const result = spawnSync("script", ["-qec", command, "/dev/null"], {
    encoding: "utf8",
    timeout: 20_000,
    input: "",
  });
  // script(1) types its own end of input, which the terminal may echo (as ^@) before any line.
  expect(result.stdout.replaceAll(/\r|\^@|\0/g, "")).toContain("/dev/pts/0\ndone\n");
  expect(result.status).toBe(3);
});

test("a /dev/console that is a link cannot lead the terminal out of the root", () => {
  bundle = new Bundle((spec) => {
    terminal("ls -l /dev/console; echo end")(spec);
    spec.mounts = spec.mounts.filter((mount) => !("destination" in mount) || mount.destination !== "/dev");
    spec.root.readonly = false;
  });
  spawnSync("mkdir", [join(bundle.rootfs, "dev")]);
  spawnSync("ln", ["-s", "/../../../../../../../../dev/null", join(bundle.rootfs, "dev/console")]);
  const command = bundle.command("run", "--bundle", bundle.path, bundle.id()).join(" ");
  spawnSync("script", ["-qec", command, "/dev/null"], { encoding: "utf8", timeout: 20_000, input: "" });
  expect(spawnSync("stat", ["-c", "%t:%T", "/dev/null"], { encoding: "utf8" }).stdout).toBe("1:3\n");
});

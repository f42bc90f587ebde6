import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually } from "../harness/process.ts";
import { Bundle, LAUNCH, type Result, RUNC, RUNK, type Writable } from "./bundle.ts";

/** runk and runc run by a user who is not root, who may make no control groups. */

let bundle: Bundle;
let id: string;
const USER = "setpriv --reuid 1000 --regid 1000 --clear-groups";

beforeEach(() => {
  bundle = new Bundle();
  id = bundle.id();
  // The build may lie where the user cannot go.
  copyFileSync(RUNK, join(bundle.path, "runk"));
  copyFileSync(LAUNCH, join(bundle.path, "kata-launch"));
  mkdirSync(join(bundle.path, "run"));
  expect(bundle.shell("rm config.json && chown -R 1000:1000 .").status).toBe(0);
});
afterEach(async () => {
  as("./runk", "delete", "--force", id);
  expect(
    readdirSync(join(bundle.path, "run")).flatMap((name) => readdirSync(join(bundle.path, "run", name))),
  ).toEqual([]);
  await bundle.close();
});

const as = (...words: string[]): Result =>
  bundle.shell(`shift 4; exec ${USER} env XDG_RUNTIME_DIR="$PWD/run" "$@"`, ...words);

/** A bundle as the program itself writes it, without terminal. */
function configure(
  program: string,
  args: readonly string[],
  change: (spec: Writable) => void = () => {},
): void {
  const file = join(bundle.path, "config.json");
  expect(bundle.shell("rm -f config.json").status).toBe(0);
  expect(as(program, "spec", "--rootless")).toMatchObject({ status: 0, stderr: "" });
  const spec: Writable = JSON.parse(readFileSync(file, "utf8"));
  Object.assign(spec.process, { args, terminal: false });
  spec.hostname = "h";
  change(spec);
  writeFileSync(file, JSON.stringify(spec));
}

test("a container in a user namespace of the user's own sees what runc's does", () => {
  const look =
    "id; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; ls -l /dev | sed 's/.*:..//'; hostname";
  const [runk, runc] = ["./runk", RUNC].map((program) => {
    configure(program, ["sh", "-c", look]);
    return as(program, "run", id);
  });
  expect(runk).toEqual(runc);
  expect(runk?.stdout).toMatch(/^uid=0\(root\) .*\n +0 +1000 +1\n +0 +1000 +1\ndeny\n/);
});

/** A user namespace of which the user is root, as rootless podman calls its runtime. */
const inUserNamespace = (...words: string[]): Result =>
  as("unshare", "--user", "--map-root-user", "--mount", ...words);

test("the root of a user namespace is rootless, too: in a namespace of the container's own or in that one", () => {
  for (const own of [true, false]) {
    configure("./runk", ["sh", "-c", "id; cat /proc/self/uid_map; touch /dev/null; hostname"], (spec) => {
      const mapping = [{ containerID: 0, hostID: 0, size: 1 }];
      Object.assign(spec.linux, { uidMappings: mapping, gidMappings: mapping });
      if (own) return;
      const { uidMappings: _, gidMappings: __, ...linux } = spec.linux;
      const namespaces = (linux.namespaces as { type: string }[]).filter(({ type }) => type !== "user");
      spec.linux = { ...linux, namespaces };
    });
    const [runk, runc] = ["./runk", RUNC].map((program) => inUserNamespace(program, "run", id));
    expect(runk).toEqual(runc);
    expect(runk).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^uid=0\(root\) .*\n +0 +(0|1000) +1\nh\n$/),
    });
  }
});

test("the root of a user namespace keeps its state where the user does, unless it is root by name", () => {
  configure("./runk", ["sleep", "600"], (spec) => {
    const mapping = [{ containerID: 0, hostID: 0, size: 1 }];
    Object.assign(spec.linux, { uidMappings: mapping, gidMappings: mapping });
  });
  const life = `
    ./runk run --detach ${id} < /dev/null && ls run/runk
    ./runk exec ${id} id -u
    USER=root ./runk state ${id} 2>&1 | grep -o "does not exist"
    ./runk delete --force ${id} && ls run/runk`;
  expect(inUserNamespace("env", "USER=someone", "sh", "-c", life)).toEqual({
    status: 0,
    stdout: `${id}\n0\ndoes not exist\n`,
    stderr: "",
  });
});

test("it is started, entered, signalled and deleted; its state is the user's", async () => {
  configure("./runk", ["sleep", "600"]);
  expect(as("./runk", "create", id)).toMatchObject({ status: 0, stderr: "" });
  expect(readdirSync(join(bundle.path, "run/runk"))).toEqual([id]);
  expect(as("./runk", "start", id)).toMatchObject({ status: 0, stderr: "" });
  expect(as("./runk", "exec", id, "sh", "-c", "id -u; cat /proc/1/comm").stdout).toBe("0\nsleep\n");
  expect(as("./runk", "kill", id, "KILL")).toMatchObject({ status: 0, stderr: "" });
  await eventually("its end", () => as("./runk", "state", id).stdout.includes('"stopped"') || undefined);
  expect(as("./runk", "delete", id)).toMatchObject({ status: 0, stderr: "" });
});

test("what needs control groups is refused in one line, and so are limits, before anything is left", () => {
  configure("./runk", ["sleep", "600"]);
  as("./runk", "run", "--detach", id);
  for (const words of [["ps"], ["pause"], ["events", "--stats"], ["update", "--memory", "64m"]])
    expect(as("./runk", ...words, id).stderr).toContain(
      "has no control group: whoever made it may make none",
    );
  as("./runk", "delete", "--force", id);
  configure("./runk", ["true"], (spec) => {
    spec.linux.resources = { pids: { limit: 10 } };
  });
  expect(as("./runk", "run", id)).toMatchObject({ status: 1, stderr: expect.stringContaining("EACCES") });
  configure("./runk", ["true"]);
  expect(as("./runk", "--rootless", "false", "run", id).status).toBe(1);
});

test("what shows a namespace that is not the user's is refused, for the user has no rights over it", () => {
  configure("./runk", ["true"], ({ linux }) => {
    linux.namespaces = (linux.namespaces as { type: string }[]).filter(({ type }) => type !== "ipc");
  });
  expect(as("./runk", "run", id)).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/\(mount mqueue on \/dev\/mqueue\): EPERM /),
  });
});

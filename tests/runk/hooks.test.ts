import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { Bundle, script, type Writable } from "./bundle.ts";

let bundle: Bundle;
afterEach(() => bundle.close());

type Kind = "prestart" | "createRuntime" | "createContainer" | "startContainer" | "poststart" | "poststop";

/** A hook of the host that runs a shell script. */
const host = (text: string, more: object = {}) => ({ path: "/bin/sh", args: ["sh", "-c", text], ...more });

function withHooks(hooks: Partial<Record<Kind, object[]>>, command = "true"): Bundle {
  return new Bundle((spec: Writable) => {
    script(command)(spec);
    spec.root.readonly = false;
    spec.annotations = { "a.b": "c" };
    spec.hooks = hooks;
  });
}

/** Runs create, start and delete of a container that ends by itself; their messages. */
function live(id: string): Record<"create" | "start" | "delete", { status: number | null; stderr: string }> {
  const create = bundle.runk("create", "--bundle", bundle.path, id);
  const start = bundle.runk("start", id);
  return { create, start, delete: bundle.runk("delete", "--force", id) };
}

const logged = () => readFileSync(join(bundle.path, "log"), "utf8").trim().split("\n");

test("hooks of every stage run in order, each told of the container's state at that time", () => {
  bundle = withHooks({});
  const log = join(bundle.path, "log");
  const tell = (kind: Kind) => host(`echo "${kind} $(cat)" >> ${log}`);
  const kinds: Kind[] = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"];
  bundle.configure((spec) => {
    script("echo ran >> /log")(spec);
    spec.root.readonly = false;
    spec.annotations = { "a.b": "c" };
    spec.hooks = {
      ...Object.fromEntries(kinds.map((kind) => [kind, [tell(kind)]])),
      startContainer: [host("cat > /started")],
    };
  });
  const id = bundle.id();
  expect(bundle.runk("create", "--bundle", bundle.path, id)).toMatchObject({ status: 0, stderr: "" });
  const { pid } = JSON.parse(bundle.runk("state", id).stdout);
  expect(existsSync(join(bundle.rootfs, "started"))).toBe(false);
  expect(bundle.runk("start", id)).toMatchObject({ status: 0, stderr: "" });
  expect(bundle.runk("delete", "--force", id)).toMatchObject({ status: 0, stderr: "" });
  const states = logged().map((line) => {
    const [kind, state] = [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)];
    return [kind, JSON.parse(state)];
  });
  const common = { ociVersion: expect.any(String), id, bundle: bundle.path, annotations: { "a.b": "c" } };
  expect(states).toEqual([
    ["prestart", { ...common, status: "created", pid }],
    ["createRuntime", { ...common, status: "created", pid }],
    ["createContainer", { ...common, status: "created", pid: 1 }],
    ["poststart", { ...common, status: "running", pid }],
    ["poststop", { ...common, status: "stopped" }],
  ]);
  expect(JSON.parse(readFileSync(join(bundle.rootfs, "started"), "utf8"))).toMatchObject({ id, pid: 1 });
});

test("createContainer hooks are the host's programs in the container's namespaces, its mounts in place", () => {
  bundle = withHooks({});
  const seen = join(bundle.path, "log");
  bundle.configure((spec) => {
    spec.hostname = "inside";
    spec.hooks = {
      createContainer: [
        host(`hostname > ${seen}; grep -c " ${bundle.rootfs}/proc " /proc/self/mountinfo >> ${seen}`),
      ],
    };
  });
  expect(bundle.run().status).toBe(0);
  expect(logged()).toEqual(["inside", "1"]);
});

test("startContainer hooks run in the container's root as its user, before its program", () => {
  bundle = withHooks({ startContainer: [host("id -u; id -u > /tmp/order")] }, "cat /tmp/order; echo program");
  bundle.configure((spec) => {
    script("cat /tmp/order; echo program")(spec);
    spec.process.user = { uid: 1000, gid: 1000 };
    spec.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["mode=1777"] });
    spec.hooks = { startContainer: [host("id -u; id -u > /tmp/order")] };
  });
  expect(bundle.run()).toMatchObject({ status: 0, stdout: "1000\nprogram\n" });
});

test.each(["prestart", "createRuntime", "createContainer"] as const)(
  "a %s hook that fails is named with its last words, nothing is left, and poststop hooks run",
  (kind) => {
    bundle = withHooks({});
    const log = join(bundle.path, "log");
    bundle.configure((spec) => {
      spec.hooks = {
        [kind]: [host("true"), host("echo no bridge >&2; exit 3"), host(`echo late >> ${log}`)],
        poststop: [host(`echo poststop >> ${log}`)],
      };
    });
    const id = bundle.id();
    const { status, stderr } = bundle.runk("create", "--bundle", bundle.path, id);
    expect(status).toBe(1);
    expect(stderr).toContain(`hook ${kind}[1] /bin/sh: exit status 3: no bridge`);
    expect(bundle.runk("state", id).stderr).toContain("container does not exist");
    expect(logged()).toEqual(["poststop"]);
  },
);

test("a startContainer hook that fails fails start, and the program does not run", () => {
  const failing = { startContainer: [host("echo bad luck; exit 4")] };
  bundle = withHooks(failing, "touch /ran");
  const id = bundle.id();
  const ended = live(id);
  expect(ended.create.status).toBe(0);
  expect(ended.start).toMatchObject({ status: 1 });
  expect(ended.start.stderr).toContain("hook startContainer[0] /bin/sh: exit status 4: bad luck");
  expect(existsSync(join(bundle.rootfs, "ran"))).toBe(false);
  expect(bundle.run().stderr).toContain("hook startContainer[0] /bin/sh: exit status 4: bad luck");
});

test.each(["prestart", "createContainer", "startContainer"] as const)(
  "a %s hook that takes longer than its time is killed with its children",
  (kind) => {
    bundle = withHooks({ [kind]: [host("sleep 1000 & sleep 1000", { timeout: 1 })] });
    expect(bundle.run().stderr).toContain(`hook ${kind}[0] /bin/sh: killed, it did not end within 1 s`);
  },
);

test("a hook that does not exist fails create", () => {
  bundle = withHooks({ createContainer: [{ path: "/nonesuch" }] });
  expect(bundle.run().stderr).toContain("hook createContainer[0] /nonesuch: cannot start: ENOENT");
});

test("poststart and poststop hooks that fail are warnings, and the next one runs", () => {
  bundle = withHooks({});
  const log = join(bundle.path, "log");
  const list = (name: string) => [host("exit 5"), host(`echo ${name} >> ${log}`)];
  bundle.configure((spec) => {
    spec.hooks = { poststart: list("poststart"), poststop: list("poststop") };
  });
  const ended = live(bundle.id());
  expect([ended.create.status, ended.start.status, ended.delete.status]).toEqual([0, 0, 0]);
  expect(ended.start.stderr).toMatch(/level=warning.*hook poststart\[0\] \/bin\/sh: exit status 5/);
  expect(ended.delete.stderr).toMatch(/level=warning.*hook poststop\[0\] \/bin\/sh: exit status 5/);
  expect(logged()).toEqual(["poststart", "poststop"]);
});

test("a poststart hook runs when the program does", () => {
  bundle = withHooks({});
  const seen = join(bundle.path, "log");
  writeFileSync(seen, "");
  bundle.configure((spec) => {
    script("exec sleep 1000")(spec);
    spec.hooks = {
      poststart: [host(`pid=$(sed 's/.*"pid":\\([0-9]*\\).*/\\1/'); readlink /proc/$pid/exe >> ${seen}`)],
    };
  });
  const id = bundle.id();
  bundle.runk("create", "--bundle", bundle.path, id);
  expect(bundle.runk("start", id)).toMatchObject({ status: 0, stderr: "" });
  expect(logged()).toEqual([expect.stringContaining("/bin/busybox")]);
});

test("a failed create that cannot be undone tells both reasons in one line", () => {
  bundle = withHooks({});
  const id = bundle.id();
  const there = join(bundle.state, id, "there");
  const prestart = [host(`mkdir ${there}; mount -t tmpfs none ${there}; exit 3`)];
  bundle.configure((spec) => {
    spec.hooks = { prestart };
  });
  const { status, stderr } = bundle.runk("create", id);
  spawnSync("umount", [there]);
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /^[^\n]*runk create failed: [^\n]*status 3[^\n]*; and then: openat2 [^\n]*there: EXDEV[^\n]*\n$/,
  );
});

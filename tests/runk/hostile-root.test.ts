import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { Bundle, type Change, script } from "./bundle.ts";
import { TRIES } from "./effort.ts";
import { Swapper } from "./swapper.ts";

/* A root file system whose owner is the attacker: it is full of links out of it, and changes while it is mounted on. */

let bundle: Bundle;
afterEach(() => bundle.close());

const outside = () => join(bundle.path, "outside");
const inRoot = (path: string) => join(bundle.rootfs, path);
const REFUSED = /^[^\n]* (step \d+ \(|chdir to cwd )[^\n]*\n$/;

/** Something of everything that is made or mounted in a root. */
const everywhere: Change = (spec) => {
  script("cat /proc/keys; echo ran")(spec);
  spec.root.readonly = false;
  const tmpfs = (destination: string) => ({ destination, type: "tmpfs", source: "tmpfs" });
  const bind = (destination: string) => ({
    destination,
    type: "bind",
    source: "/etc",
    options: ["rbind", "ro"],
  });
  spec.mounts.push(tmpfs("/links/tmpfs"), bind("/links/bind"), tmpfs("/run/a/b"));
  spec.linux.devices = [{ path: "/links/nodes/null", type: "c", major: 1, minor: 3 }];
  spec.linux.maskedPaths = ["/secret", "/links/masked", "/proc/keys"];
  spec.linux.readonlyPaths = ["/links/read-only", "/proc/sys"];
  spec.process.cwd = "/links/cwd";
};

/** Links, each to another thing of the host's, where these are wanted. */
function linkOut(...paths: readonly string[]): void {
  for (const [index, path] of paths.entries()) {
    mkdirSync(dirname(inRoot(path)), { recursive: true });
    const up = index % 2 === 0 ? "" : "../".repeat(20);
    symlinkSync(`${up}${join(outside(), `${index}`)}`, inRoot(path));
  }
}

const LINKS = ["dev", "run", "secret", "etc/mtab"].concat(
  ["tmpfs", "bind", "nodes", "masked", "read-only", "cwd"].map((name) => `links/${name}`),
);

test("links out of it everywhere: all is mounted, made and masked inside, nothing at the host's", () => {
  bundle = new Bundle(everywhere);
  mkdirSync(outside());
  linkOut(...LINKS);
  expect(bundle.run()).toEqual({ status: 0, stdout: "ran\n", stderr: "" });
  expect(readdirSync(outside())).toEqual([]);
});

test.each(["proc", "sys", "dev", "dev/pts", "dev/shm", "run", "links"])(
  "/%s is exchanged for a link while the root is mounted on: refused, or all of it is inside",
  async (name) => {
    bundle = new Bundle((spec) => {
      everywhere(spec);
      script("echo ran")(spec);
      // Where it can be exchanged, there is no tmpfs over it.
      if (name.startsWith("dev/"))
        spec.mounts = spec.mounts.filter(
          (mount) => !("destination" in mount && mount.destination === "/dev"),
        );
    });
    for (const path of [outside(), inRoot(name)]) mkdirSync(path, { recursive: true });
    symlinkSync(outside(), inRoot("out"));
    await using _ = await Swapper.start(inRoot(name), inRoot("out"));
    for (let count = 0; count < TRIES / 3; count++) {
      const { status, stdout, stderr } = bundle.run();
      if (status === 0) expect(stdout).toBe("ran\n");
      else expect([stdout, stderr]).toEqual(["", expect.stringMatching(REFUSED)]);
    }
    expect(readdirSync(outside())).toEqual([]);
  },
);

test("paths of /proc are masked, or the container is refused, when /proc is away at that moment", async () => {
  bundle = new Bundle((spec) => {
    spec.root.readonly = false;
    // Looks when it is there again.
    script(
      "n=0; until [ -e /proc/self/ns ] || [ $((n+=1)) = 20000 ]; do :; done; cat /proc/keys 2> /dev/null; true",
    )(spec);
    spec.linux.maskedPaths = ["/proc/keys"];
  });
  for (const name of ["proc", "away"]) mkdirSync(inRoot(name));
  await using _ = await Swapper.start(inRoot("proc"), inRoot("away"));
  for (let count = 0; count < 2 * TRIES; count++) {
    const { status, stdout, stderr } = bundle.run();
    if (status === 0) expect(stdout).toBe("");
    else expect([stdout, stderr]).toEqual(["", expect.stringMatching(REFUSED)]);
  }
});

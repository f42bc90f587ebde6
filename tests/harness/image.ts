import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes a tar of a root file system of busybox, with a user and groups, for `docker import` and `podman import`. */
export function writeImage(directory: string): string {
  const root = join(directory, "image");
  for (const name of ["bin", "dev", "etc", "proc", "root", "srv", "sys", "tmp", "var"])
    mkdirSync(join(root, name), { recursive: true });
  copyFileSync("/bin/busybox", join(root, "bin/busybox"));
  const applets = execFileSync("/bin/busybox", ["--list"], { encoding: "utf8" }).trim().split("\n");
  for (const applet of applets.filter((name) => name !== "busybox"))
    symlinkSync("busybox", join(root, "bin", applet));
  writeFileSync(
    join(root, "etc/passwd"),
    "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n",
  );
  writeFileSync(join(root, "etc/group"), "root:x:0:\nalice:x:1000:\nstaff:x:50:alice\n");
  writeFileSync(join(root, "srv/greeting"), "from the image\n");
  const tar = join(directory, "image.tar");
  execFileSync("tar", ["--numeric-owner", "--owner=0", "--group=0", "-C", root, "-cf", tar, "."]);
  return tar;
}

/** What an image runs when nothing else is asked for. */
export type Commands = Readonly<Record<string, readonly string[]>>;

/** The same as an archive that `docker load`, `podman load` and `ctr image import` take: images by their names. */
export function writeImageArchive(directory: string, images: Commands): string {
  const layer = readFileSync(writeImage(directory));
  const contents = join(directory, "archive");
  mkdirSync(contents);
  writeFileSync(join(contents, "layer.tar"), layer);
  const manifest = Object.entries(images).map(([name, command], index) => {
    const config = {
      architecture: "amd64",
      os: "linux",
      config: { Env: ["PATH=/bin:/sbin:/usr/bin"], Cmd: command, WorkingDir: "/" },
      rootfs: { type: "layers", diff_ids: [`sha256:${sha256(layer)}`] },
    };
    writeFileSync(join(contents, `config-${index}.json`), JSON.stringify(config));
    return { Config: `config-${index}.json`, RepoTags: [name], Layers: ["layer.tar"] };
  });
  writeFileSync(join(contents, "manifest.json"), JSON.stringify(manifest));
  const archive = join(directory, "archive.tar");
  execFileSync("tar", ["-C", contents, "-cf", archive, "."]);
  return archive;
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

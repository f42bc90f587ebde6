import { expect, test } from "vitest";
import { virtiofsdArguments } from "./virtio-fs.ts";

test("virtiofsd gets only options that both programs of the name take", () => {
  const args = virtiofsdArguments("/share", "auto", 5);
  expect(args.slice(0, 2)).toEqual(["-f", "--fd=5"]);
  expect(args[3]?.split(",")).toEqual([
    "source=/share",
    "sandbox=chroot",
    "cache=auto",
    "announce_submounts",
    "xattr",
    "no_posix_lock",
    "no_flock",
  ]);
});

test("never is told in the word that both programs know", () => {
  expect(virtiofsdArguments("/share", "never", 5)[3]).toContain("cache=none,");
});

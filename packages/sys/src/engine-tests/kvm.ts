import { CLONE, exists, isSysError, MS, ops } from "../index.ts";
import { child, equal, fails, ok, outcomeOf, startChild, test } from "./harness.ts";

test("KVM is probed, or an errno says why not", () => {
  if (!exists("/dev/kvm")) return;
  try {
    equal(typeof ops.kvmProbe(), "boolean");
  } catch (error) {
    ok(isSysError(error, "EACCES", "EPERM"), String(error));
  }
});

child("without-devices", async () => {
  ops.mount("", "/", "", MS.REC | MS.PRIVATE, "");
  ops.mount("none", "/dev", "tmpfs", 0, "");
  await fails(() => ops.kvmProbe(), "ENOENT", "open", "/dev/kvm");
  return 0;
});

test("KVM's absence is an errno", async () => {
  equal(await outcomeOf(startChild("without-devices", "", { unshare: CLONE.NEWNS })), { code: 0, text: "" });
});

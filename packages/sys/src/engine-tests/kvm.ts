import { exists, isSysError, ops } from "../index.ts";
import { equal, fails, ok, test } from "./harness.ts";

test("KVM is probed, or its absence is an errno", async () => {
  if (!exists("/dev/kvm")) {
    await fails(() => ops.kvmProbe(), "ENOENT", "open", "/dev/kvm");
    return;
  }
  try {
    equal(typeof ops.kvmProbe(), "boolean");
  } catch (error) {
    ok(isSysError(error, "EACCES", "EPERM"), String(error));
  }
});

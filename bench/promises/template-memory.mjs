import { withIdle } from "../containers.mjs";
import { repeat } from "../measure.mjs";
import { withOwnKernel } from "../own-kernel.mjs";
import { privateKb } from "../private-memory.mjs";

const limitMb = 90;

export const templateMemory = {
  name: "template-memory",
  promise: "private memory of an idle copy ≤ 90 MB",
  measure: () =>
    withOwnKernel({ enable_template: true }, (file) => {
      const measured = () =>
        withIdle(({ daemonPid, shimPid }) => ({ MB: privateKb([daemonPid, shimPid]) / 1024 }), file);
      // What programs share with those of another sandbox is not theirs alone.
      return withIdle(
        () => repeat(measured, { samples: 6, digits: 1, share: ({ MB }) => MB / limitMb }),
        file,
      );
    }),
};

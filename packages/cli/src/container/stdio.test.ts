import { setOps } from "@kata-containers/sys";
import { afterEach, describe, expect, it } from "vitest";
import { useOps } from "../testing/fake-ops.ts";
import { openStdio, sizedAsOurs } from "./stdio.ts";

afterEach(() => setOps(undefined));

const process = { args: ["true"], cwd: "/" };

describe("openStdio", () => {
  it("passes on our own descriptors without a terminal", async () => {
    using stdio = await openStdio({ process, detach: true, consoleSocket: undefined });
    expect(stdio.daemonFds).toEqual([0, 1, 2]);
    expect(stdio.terminal).toBe(false);
  });

  it("refuses in runc's words what contradicts itself", async () => {
    const wish = { process: { ...process, terminal: true }, detach: true, consoleSocket: undefined };
    await expect(openStdio(wish)).rejects.toThrow(
      "cannot allocate tty if kata-runtime will detach without setting console socket",
    );
    await expect(openStdio({ process, detach: true, consoleSocket: "/s" })).rejects.toThrow(
      "cannot use console socket if kata-runtime will not detach or allocate tty",
    );
  });

  it("sends the master of a raw terminal to the console socket, and keeps the slave", async () => {
    const log: string[] = [];
    useOps({
      openPty: () => ({ master: 10, slave: 11, path: "/dev/pts/7" }),
      makeRaw: (fd) => {
        log.push(`raw ${fd}`);
        return new Uint8Array();
      },
      setWinsize: (fd, { row, col }) => void log.push(`size ${fd} ${row}x${col}`),
      unixConnect: async () => 12,
      sendFds: async (fd, bytes, fds) =>
        void log.push(`send ${fd} ${new TextDecoder().decode(bytes)} ${fds}`),
      open: (path) => {
        log.push(`open ${path}`);
        return 13;
      },
      close: (fd) => void log.push(`close ${fd}`),
    });
    const sized = { ...process, terminal: true, consoleSize: { height: 24, width: 80 } };
    {
      using stdio = await openStdio({ process: sized, detach: true, consoleSocket: "/s" });
      expect(stdio).toMatchObject({ terminal: true, daemonFds: [13, 13], shimTerminal: true });
      expect(stdio.shimFds.map(({ from }) => from)).toEqual([11, 11, 11]);
    }
    expect(log).toEqual([
      "raw 11",
      "size 11 24x80",
      "send 12 /dev/pts/7 10",
      "open /proc/self/fd/11",
      "close 12",
      "close 10",
      "close 13",
      "close 11",
    ]);
  });
});

describe("sizedAsOurs", () => {
  it("gives the process the size of our terminal, whatever it has asked for", () => {
    useOps({ isatty: () => true, getWinsize: () => ({ row: 41, col: 97 }) });
    const asked = { ...process, consoleSize: { height: 1, width: 1 } };
    expect(sizedAsOurs(asked)).toEqual({ ...process, consoleSize: { height: 41, width: 97 } });
  });

  it("changes nothing without a terminal, or when it has no size", () => {
    useOps({ isatty: () => false });
    expect(sizedAsOurs(process)).toBe(process);
    useOps({ isatty: () => true, getWinsize: () => ({ row: 0, col: 0 }) });
    expect(sizedAsOurs(process)).toBe(process);
  });
});

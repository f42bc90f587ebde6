import { type KataConfig, restoreConfig } from "@kata-containers/config";
import { CLONE, Fd, KataError, Logger, ops } from "@kata-containers/sys";
import { attachLater, type Confinement, IdleMachine, joinCgroup } from "@kata-containers/virtcontainers";
import { type AdoptedSandbox, adoptSandbox } from "../daemon/daemon.ts";
import { enterCgroups, leaveHostViewIdle } from "../daemon/host-view.ts";
import { Warnings } from "../daemon/warnings.ts";
import {
  ControlSocket,
  closeAll,
  IDLE_CONTROL_FD,
  isObject,
  type Received,
  takeFds,
} from "./control-socket.ts";

/**
 * A sandbox's daemon before its sandbox: it has a VM whose agent answers, and waits for somebody who takes both. It ends when nobody is
 * left who could: with its control socket.
 * @returns its exit status
 */
export async function runIdleDaemon(): Promise<number> {
  const control = new ControlSocket(new Fd(IDLE_CONTROL_FD));
  try {
    const order = await control.receive();
    if (order === undefined) return 1;
    closeAll(order.fds);
    const config = restoreConfig(JSON.stringify(order.message.config), "the cache's configuration");
    return await waitForSandbox(control, config);
  } catch (error) {
    await control.send({ error: KataError.from(error).message }).catch(() => {});
    return 1;
  }
}

async function waitForSandbox(control: ControlSocket, config: KataConfig): Promise<number> {
  const confinement = leaveHostViewIdle(config);
  const warnings = new Warnings();
  const onWarning = (line: string) => warnings.add(line);
  const log = new Logger({ fd: -1, name: "containerd-shim-kata-v2", source: "shim", onWarning });
  const adoption = control.receive();
  // Before there is a VM nothing comes but the socket's end. What was started until then ends with this process.
  const unwanted = adoption.then(
    () => undefined,
    () => undefined,
  );
  const idle = await Promise.race([IdleMachine.start({ config, confinement, log }), unwanted]);
  if (idle === undefined) return 1;
  const pid = idle.machine.processes.find(({ name }) => name === "qemu")?.identity.pid;
  await control.send({ vm: { pid, ...idle.machine.size }, warnings: warnings.take() });
  const ended = idle.machine.ended.then((why): never => {
    throw new KataError("Unavailable", `its virtual machine has ended: ${why}`);
  });
  const received = await Promise.race([adoption, ended]);
  if (received !== undefined) return await becomeSandbox(control, idle, confinement, received);
  await idle.machine.stop();
  return 1;
}

async function becomeSandbox(
  control: ControlSocket,
  idle: IdleMachine,
  confinement: Confinement,
  received: Received,
): Promise<number> {
  const args = checkAdopted(received.message.adopt);
  const [listener, rootTree, network] = takeFds(received, 3);
  if (listener === undefined || rootTree === undefined)
    throw new KataError("InvalidArgument", "descriptors are missing");
  if (network !== undefined) {
    ops.setns(network.number, CLONE.NEWNET);
    network.close();
  }
  attachLater(rootTree, args.root);
  rootTree.close();
  // Until here the sandbox could have another daemon; from here on its record is changed.
  await control.send({ adopting: true });
  const enter = (record: Parameters<typeof enterCgroups>[0]): Confinement => {
    const cgroupProcs = enterCgroups(record);
    for (const { identity } of idle.machine.processes) joinCgroup(cgroupProcs, identity.pid);
    return { ...confinement, cgroupProcs };
  };
  return await adoptSandbox({ args, idle, enter, listener: listener.release(), told: control.fd });
}

function checkAdopted(adopt: unknown): AdoptedSandbox {
  if (!isObject(adopt)) throw new KataError("InvalidArgument", "a message that is no adoption");
  const { id, root, config, debug, orphanSeconds } = adopt;
  const isText = (value: unknown): value is string => typeof value === "string" && value !== "";
  if (!isText(id) || !isText(root) || !isText(config))
    throw new KataError("InvalidArgument", "an adoption without id, root and config");
  const seconds = typeof orphanSeconds === "number" ? { orphanSeconds } : {};
  return { id, root, config, debug: debug === true, ...seconds };
}

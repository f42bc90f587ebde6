import { Health } from "@kata-containers/protocols";
import { type Fd, KataError, ops, RpcDurations } from "@kata-containers/sys";
import { createAgent } from "../agent-client/ttrpc-agent.ts";
import { assemble, type MachineDeps } from "../assemble-machine.ts";
import type { Vm } from "../hypervisor/hypervisor.ts";
import type { Machine } from "../machine.ts";
import type { Basis } from "../machine-plan.ts";
import { Phases } from "../phases.ts";
import type { VmSize } from "../resource/vm-size.ts";
import { MemoryFile } from "./memory-file.ts";
import { makingSeconds, templateFiles } from "./template.ts";
import { type OpenTemplate, TemplateDirectory } from "./template-directory.ts";
import { keyOf, templatePlan } from "./template-plan.ts";
import type { TemplateDescription } from "./template-record.ts";

/** Nobody lets a sandbox's template be: one that is made is of use to the next sandbox. */
const NEVER = new Promise<never>(() => {});

/** Makes machines that are copies of the template, and the template when there is none. */
export class TemplateCopier {
  readonly #deps: MachineDeps;
  readonly #basis: Basis;
  readonly #size: VmSize;
  readonly #memoryDir: string;
  readonly #directory: TemplateDirectory;

  constructor(deps: MachineDeps, basis: Basis, size: VmSize, memoryDir: string) {
    this.#deps = deps;
    this.#basis = basis;
    this.#size = size;
    this.#memoryDir = memoryDir;
    this.#directory = new TemplateDirectory(deps.config.factory.template_path);
  }

  async copy(): Promise<Machine> {
    const { config, phases, log } = this.#deps;
    this.#directory.check();
    const files = templateFiles(config);
    const key = keyOf(config, this.#basis, this.#size, files);
    const make = (memory: Fd, state: Fd) => this.#make(files, memory, state, NEVER);
    using template = await this.#directory.openOrMake(key, make, makingSeconds(config) * 1000);
    phases.end("template");
    try {
      const machine = await this.#copyOf(template);
      log.info("the VM is a copy of the template", { template: key });
      return machine;
    } catch (error) {
      await this.#judge(key, template, KataError.from(error)).catch(() => {});
      throw error;
    }
  }

  /**
   * Makes the template anew.
   * @param gone rejects when nobody wants it any more: then nothing is left of it
   * @returns its key
   */
  async make(gone: Promise<never>): Promise<string> {
    const { config } = this.#deps;
    this.#directory.check();
    const files = templateFiles(config);
    const key = keyOf(config, this.#basis, this.#size, files);
    const make = (memory: Fd, state: Fd) => this.#make(files, memory, state, gone);
    await this.#directory.make(key, make, makingSeconds(config) * 1000, gone);
    return key;
  }

  /** One that is itself at fault, not the network or the share, is made anew by the next sandbox; one whose copy is late, when two were. */
  async #judge(key: string, template: OpenTemplate, { code }: KataError): Promise<void> {
    if (code === "DataLoss" || code === "Unavailable") await this.#directory.discard(key, template);
    else if (code === "DeadlineExceeded") await this.#directory.doubt(key, template);
  }

  async #copyOf(template: OpenTemplate): Promise<Machine> {
    using memory = new MemoryFile(this.#memoryDir, this.#size.memoryMiB);
    const fillMemory = () => void ops.copyPages(template.memory.number, memory.fd.number);
    const saved = { state: template.state, fillMemory };
    const { machine } = await assemble(this.#deps, this.#basis, { ...this.#plan, saved });
    try {
      await machine.connected;
      return machine;
    } catch (error) {
      await machine.stop();
      throw error;
    }
  }

  async #make(
    files: Readonly<Record<string, string>>,
    memory: Fd,
    state: Fd,
    gone: Promise<never>,
  ): Promise<TemplateDescription> {
    this.#deps.log.info("the template is made", { directory: this.#directory.path });
    using own = new MemoryFile(this.#memoryDir, this.#size.memoryMiB);
    const deps = { ...this.#deps, phases: new Phases() };
    const { machine, vm } = await assemble(deps, this.#basis, { ...this.#plan, bare: true });
    try {
      await Promise.race([this.#save(machine, vm, state), gone]);
    } finally {
      await machine.stop();
    }
    ops.copyPages(own.fd.number, memory.number);
    return { files, ...this.#size, createdMs: Math.round(ops.realtimeMs()) };
  }

  /** As soon as its agent answers. */
  async #save(machine: Machine, vm: Vm, state: Fd): Promise<void> {
    const timeoutMs = this.#deps.config.agent.request_timeout * 1000;
    const agent = createAgent(await machine.connected, timeoutMs, new RpcDurations());
    await agent.request(Health.Check, {});
    await vm.save(state);
    agent.close();
  }

  get #plan() {
    return templatePlan(this.#deps.config, this.#size);
  }
}

import { Fd, isSysError, KataError, O, ops, readText } from "@kata-containers/sys";
import { KERNEL_MODULES } from "../paths.ts";

/** What guest/build.mjs writes beside the modules. */
interface Catalogue {
  /** Loaded at boot, in this order. */
  readonly boot: readonly string[];
  /** What each module in the image needs, by name. */
  readonly needs: Readonly<Record<string, readonly string[]>>;
}

/** The image's kernel modules: loads each once, what it needs first. A kernel that has them built in has an empty catalogue. */
export class KernelModules {
  readonly #catalogue: Catalogue;
  readonly #loaded = new Set<string>();

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
  }

  /** Reads the image's catalogue; an image without one has no modules. */
  static read(): KernelModules {
    try {
      return new KernelModules(JSON.parse(readText(`${KERNEL_MODULES}/modules.json`)));
    } catch (error) {
      if (isSysError(error, "ENOENT")) return new KernelModules({ boot: [], needs: {} });
      throw error;
    }
  }

  /** Loads what the agent's channel needs. */
  loadBoot(): void {
    for (const name of this.#catalogue.boot) this.load(name);
  }

  /**
   * Loads a module unless it is loaded, or is not in the image (then the kernel has it built in, or the mount that needs it says
   * that it has not).
   */
  load(name: string): void {
    this.#load(name.replaceAll("-", "_"), "");
  }

  /**
   * Loads a module that a request names.
   * @param parameters "key=value" each
   * @throws KataError NotFound when the image does not have it
   */
  require(name: string, parameters: readonly string[]): void {
    const canonical = name.replaceAll("-", "_");
    if (!Object.hasOwn(this.#catalogue.needs, canonical)) {
      throw new KataError("NotFound", `kernel module ${JSON.stringify(name)}: not in the guest image`);
    }
    this.#load(canonical, parameters.join(" "));
  }

  #load(name: string, parameters: string): void {
    const needs = Object.hasOwn(this.#catalogue.needs, name) ? this.#catalogue.needs[name] : undefined;
    if (needs === undefined || this.#loaded.has(name)) return;
    for (const need of needs) this.#load(need, "");
    using file = new Fd(ops.open(`${KERNEL_MODULES}/${name}.ko`, O.RDONLY | O.CLOEXEC, 0));
    try {
      ops.finitModule(file.number, parameters);
    } catch (error) {
      if (!isSysError(error, "EEXIST")) throw error;
    }
    this.#loaded.add(name);
  }
}

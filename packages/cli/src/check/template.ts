import { type KataConfig, readHostSize } from "@kata-containers/config";
import { KataError, ops } from "@kata-containers/sys";
import { obstacleToCopy, TemplateDirectory, vmSize } from "@kata-containers/virtcontainers";
import { fileSystem, nearestThere } from "./file-system.ts";
import { type Finding, ok, warning } from "./finding.ts";

const CHECK = "template";

/** One of Debian's kernel takes 74, and `factory init` keeps the one that is there until the new one is done. */
const NEEDED_MIB = 128;

/** Whether VMs can be copies of a template, when the configuration wants that; where not, they boot. */
export function checkTemplate(config: KataConfig): Finding[] {
  if (!config.factory.enable_template) return [];
  try {
    const size = vmSize(config, readHostSize(), []);
    const obstacle = obstacleToCopy(config, size, size);
    if (obstacle !== undefined)
      return [warning(CHECK, `${obstacle}: VMs boot`, "set it to false, or enable_template")];
    return [placeFinding(config.factory.template_path)];
  } catch (error) {
    const advice = "make it root's alone, or name another by template_path of [factory]";
    return [warning(CHECK, `${KataError.from(error).message}: VMs boot`, advice)];
  }
}

/** @throws KataError when the directory is not ours; SysError */
function placeFinding(path: string): Finding {
  new TemplateDirectory(path).isThere();
  const { type, bavail, bsize } = ops.statfs(nearestThere(path));
  const freeMiB = Math.floor((bavail * bsize) / 2 ** 20);
  if (freeMiB < NEEDED_MIB) {
    const detail = `${path}: ${freeMiB} MiB are free, one may take ${NEEDED_MIB}: VMs boot when it does not fit`;
    return warning(CHECK, detail, "make room, or name another directory by template_path of [factory]");
  }
  const { name } = fileSystem(type);
  if (name === "tmpfs" || name === "ramfs") return ok(CHECK, `${path}: on ${name}, ${freeMiB} MiB are free`);
  const detail = `${path}: on ${name}; it is read through the page cache, so that only the first copy may wait for a disk`;
  return warning(CHECK, detail, "set template_path of [factory] to a directory on a tmpfs, below /run");
}

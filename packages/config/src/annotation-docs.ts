import { annotationSubjects, CONFIG_PATH, type KeySubject, OTHERS } from "./annotation-names.ts";

const INTRO = `# Annotations of a sandbox

Made from packages/config/src/table.ts.

Annotations in config.json can change the configuration of one sandbox, as upstream's do: container managers pass on those
of a pod (containerd: \`pod_annotations = ["io.katacontainers.*"]\` of the runtime; CRI-O: \`allowed_annotations\`), docker and
podman those of \`--annotation\`. Whoever starts a container writes them, so **none is allowed until the configuration
allows it**:

\`\`\`toml
[hypervisor.qemu]
enable_annotations = ["^default_vcpus$", "^default_memory$", "^kernel_params$"]
\`\`\`

\`\`\`sh
docker run --runtime kata --annotation ${"io.katacontainers.config.hypervisor.default_memory=1024"} …
\`\`\`

- \`enable_annotations\` has regular expressions, JavaScript's with the flag u, which for what names need are those of
  upstream. As there, one is looked for anywhere in the last word of the name: \`path\` allows \`path\` and every name with
  \`path\` in it, \`^path$\` only itself. Other than in upstream, those of \`agent\` and \`runtime\` must be allowed as well.
- What is not allowed, not known, not supported, malformed or out of range is an error that names the annotation, its value
  and the rule; nothing was changed then. Upstream ignores some of these.
- The sandbox's own container counts, which is the pod's first. Managers pass the same annotations to the others, where
  they are without effect, even those that would be refused.

## What they can set
`;

const LIMITS = `**The limits.** vCPUs: at most the file's \`default_maxvcpus\`, or the annotation's if that is less, and the host's CPUs; an
annotation can lower \`default_maxvcpus\`, not raise it. Memory: at most the file's \`default_maxmemory\`, and the host's. A value
has at most 4,096 characters, and obeys the same rules as the key's ([configuration.md](configuration.md)).

**Paths.** What QEMU or the daemon opens or runs on the host is in the configuration, as the key or by a pattern of its list:
without that, a pod could have any file of the host for its initrd, and read it. The lists for kernel, initrd and firmware
are ours; upstream lets annotations name any file.

**Hashes.** \`io.katacontainers.config.hypervisor.\` \`kernel_hash\`, \`initrd_hash\`, \`firmware_hash\` and \`hypervisor_hash\`: the SHA-512 of
the file that the sandbox is made with, 128 hexadecimal digits; with another file the sandbox is refused. They hold for the
configuration's own files too, not only for those that an annotation names, and must be allowed by their name.

## Another configuration file

\`${CONFIG_PATH}\` names the file that is read instead. In order, the first of these is taken: this annotation;
\`--config\` of kata-runtime, or the shim's runtime options (\`ConfigPath\`); the environment variable \`KATA_CONF_FILE\`; the default
paths. Upstream up to 3.x took the annotation's file unseen, 4.x does not know the annotation. Here the file that would be
read without it must list the other:

\`\`\`toml
[runtime]
valid_config_paths = ["/etc/kata-containers/configuration-*.toml"]
\`\`\`

The annotation is an error otherwise, and the other file is not even looked at. A configuration says which programs run as
root: the file must belong to root or the caller and nobody else may write it, as every configuration. That alone would
not do: root in a container makes files that belong to root, in any volume. So list no directory that containers can reach.
Of the file that was chosen count its own \`enable_annotations\`, lists and limits. kata-runtime, the shim and the library do
the same.

## What is refused

All other annotations of upstream's. Those of a key are refused with the reason that [configuration.md](configuration.md) gives
for the key, unless they ask for what is done anyway (\`…hypervisor.enable_iommu = "false"\`); these are not of keys:

`;

/** The page about annotations, in Markdown. */
export function renderAnnotationDocs(): string {
  const subjects = [...annotationSubjects()];
  const rows = subjects.flatMap(([name, subject]) => (subject.kind === "key" ? [row(name, subject)] : []));
  const settable = `| annotation | value | how |\n|---|---|---|\n${rows.join("\n")}\n`;
  const others = Object.entries(OTHERS).map(([name, { reason, same }]) => {
    const accepted = same.map((value) => `\`${value}\``).join(", ");
    return `| \`${name}\` | ${accepted} | ${reason} |`;
  });
  const refused = `| annotation | accepted | why it is refused |\n|---|---|---|\n${others.join("\n")}\n`;
  return `${INTRO}\n${settable}\n${LIMITS}${refused}`;
}

function row(name: string, { key, rule, name: keyName }: KeySubject): string {
  const differs = name.endsWith(`.${keyName}`) ? "" : `the key \`${keyName}\`; `;
  const { allowList, addedAfter } = rule;
  const how =
    allowList === undefined
      ? addedAfter === undefined
        ? "replaces the value"
        : "is added to the value; the last word of a name wins"
      : `replaces the value; one that \`${allowList}\` lists`;
  return `| \`${name}\` | ${key.type} | ${differs}${how} |`;
}

import type { Any, Codec, Init } from "@kata-containers/protocols";

/** A message as containerd passes those of any type: by the type's full name, nothing before it (containerd/typeurl). */
export function anyOf<T extends object>(codec: Codec<T>, message: NoInfer<Init<T>>): Any {
  return { typeUrl: codec.typeName, value: codec.encode(message) };
}

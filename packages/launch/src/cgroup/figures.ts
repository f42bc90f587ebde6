import { isSysError, ops } from "@kata-containers/sys";

/** 2^64 - 1: how "no limit" is said on the wire. */
export const UNLIMITED = (1n << 64n) - 1n;

/** The text of a file that holds one number; "max", and "" of a file that is not there, is `otherwise`. */
export function figure(text: string, otherwise = 0n): bigint {
  const number = text === "" ? Number.NaN : Number(text);
  if (!(number >= 0)) return otherwise;
  return Number.isSafeInteger(number) ? BigInt(number) : BigInt(text.trimEnd());
}

/** The same for every control group of a hierarchy, by the suffix of its files. */
const sizesBySuffix = new Map<string, readonly string[]>();

/** Page sizes ("2MB") for which control groups have a file hugetlb.SIZE.SUFFIX; none when this one is gone. */
export function hugepageSizes(directory: string, suffix: string): readonly string[] {
  const known = sizesBySuffix.get(suffix);
  if (known !== undefined) return known;
  const names = namesIn(directory);
  if (names === undefined) return [];
  const sizes = names.flatMap((name) => {
    const size = /^hugetlb\.(\d+[KMGT]B)\.(\S+)$/.exec(name);
    return size?.[1] !== undefined && size[2] === suffix ? [size[1]] : [];
  });
  // In an order of its own: the kernel's is by chance.
  sizes.sort();
  // None: v2's controller may be off for this group, and on for the next.
  if (sizes.length > 0) sizesBySuffix.set(suffix, sizes);
  return sizes;
}

function namesIn(directory: string): string[] | undefined {
  try {
    return ops.readdir(directory).map(({ name }) => name);
  } catch (error) {
    if (isSysError(error, "ENOENT", "ENODEV")) return undefined;
    throw error;
  }
}

import { KataError } from "@kata-containers/sys";

export interface Annotation {
  readonly name: string;
  readonly value: string;
}

/** How much of a text of somebody else's an error repeats. */
const MAX_QUOTED = 100;

/** A text of somebody else's, in one line of printable ASCII. */
export function quote(text: string): string {
  const cut = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text;
  return JSON.stringify(cut).replaceAll(
    /[^\x20-\x7e…]/g,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The error of an annotation that is wrong in itself. @param rule follows its name and value */
export function wrong(annotation: Annotation, rule: string): KataError {
  return new KataError("InvalidArgument", describe(annotation, rule));
}

/** The error of one that the configuration does not allow. */
export function denied(annotation: Annotation, rule: string): KataError {
  return new KataError("PermissionDenied", describe(annotation, rule));
}

function describe({ name, value }: Annotation, rule: string): string {
  const shown = /^[\w./-]{1,128}$/.test(name) ? name : quote(name);
  return `annotation ${shown} = ${quote(value)} ${rule}`;
}

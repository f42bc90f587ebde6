export type SettingFile = {
  readonly file: string;
  readonly text: string;
  /** What is written where the kernel has no such file. */
  readonly or?: SettingFile;
  /** Not every kernel has it: nothing is written then. */
  readonly optional?: true;
};

/** One limit, as each version of cgroups spells it; a version that is absent cannot express it. */
export type Setting = {
  /** Where it stands in config.json, for errors. */
  readonly where: string;
  readonly v1Controller: string;
  /** When v2 calls the controller otherwise. */
  readonly v2Controller?: string;
  readonly v1?: SettingFile;
  /** Text: when v2 cannot express it, "without memory.limit". */
  readonly v2?: SettingFile | string;
};

export const file = (name: string, text: string | number): SettingFile => ({ file: name, text: `${text}` });

/** 0 means "not set", as runc and docker have it; -1 "no limit". */
export function isSet(value: number | undefined): value is number {
  return value !== undefined && value !== 0;
}

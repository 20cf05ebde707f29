const SHORT: Readonly<Record<string, string>> = { ReadWriteOnce: 'RWO', ReadOnlyMany: 'ROX', ReadWriteMany: 'RWX', ReadWriteOncePod: 'RWOP' };

export const ACCESS_MODES = Object.keys(SHORT);

/** `RWO,ROX`: in the fixed order that kubectl uses, each once. */
export function accessModesText(modes: readonly string[] | undefined): string {
  return ACCESS_MODES.filter((mode) => modes?.includes(mode) === true).map((mode) => SHORT[mode]).join(',');
}

/** `.status.conditions[?(@.type=="Ready")].status`, `.spec.ports[0]`: the JSONPath that printer columns use. The first match, or undefined. */
export function readJsonPath(object: unknown, path: string): unknown {
  let value = object;
  for (const step of path.matchAll(/\.?([\w-]+)|\['([^']+)'\]|\[(\d+|\*)\]|\[\?\(@\.([\w.-]+)\s*==\s*["']([^"']*)["']\)\]/g)) {
    const [, plain, quoted, index, filterPath, filterValue] = step;
    if (Array.isArray(value)) {
      const list: readonly unknown[] = value;
      if (filterPath !== undefined) value = list.find((item) => readJsonPath(item, filterPath) === filterValue);
      else value = list[index === undefined || index === '*' ? 0 : Number(index)];
    } else if (typeof value === 'object' && value !== null) {
      value = (value as Record<string, unknown>)[plain ?? quoted ?? ''];
    } else return undefined;
  }
  return value;
}

// $(VAR) in command, args and env values. Pure.

/** Replaces $(NAME) where NAME is known, leaves unknown ones as they are; $$ is one dollar sign that starts no reference. */
export function expandVariables(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\$(\$|\(([^)]*)\))/gu, (whole, what: string, name: string | undefined) => {
    if (what === '$') return '$';
    return variables.get(name ?? '') ?? whole;
  });
}

/**
 * For tests: `PODWIRE_CNI_DIE_AFTER=N` kills the process (SIGKILL, no handler runs) after the N-th thing that ADD did,
 * `PODWIRE_CNI_FAIL_AFTER=N` makes ADD fail there. Instead of a number it may be the name of a step (`veth`), or `done`:
 * all is wired, and nobody knows it yet. Returns the hook for `EngineOptions.afterStep`.
 */
export function faultFrom(env: Readonly<Record<string, string | undefined>>): ((name: string) => void) | undefined {
  const die = env['PODWIRE_CNI_DIE_AFTER'] ?? '';
  const fail = env['PODWIRE_CNI_FAIL_AFTER'] ?? '';
  if (die === '' && fail === '') return undefined;
  let count = 0;
  return (name) => {
    count++;
    const isNow = (wanted: string): boolean => wanted === name || wanted === String(count);
    if (isNow(die)) process.kill(process.pid, 'SIGKILL');
    if (isNow(fail)) throw new Error(`fault injected after step ${count} (${name})`);
  };
}

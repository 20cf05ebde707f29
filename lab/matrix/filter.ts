import { LabError } from '../errors.ts';
import type { Cell } from './model.ts';
import { placeName } from './places.ts';

const FIELDS = {
  id: (cell: Cell): string => cell.id,
  from: (cell: Cell): string => placeName(cell.place),
  to: (cell: Cell): string => cell.to,
  path: (cell: Cell): string => cell.path,
  locality: (cell: Cell): string => cell.locality,
  protocol: (cell: Cell): string => cell.protocol,
  family: (cell: Cell): string => cell.family,
  expected: (cell: Cell): string => cell.expected,
} as const;

/**
 * `protocol=udp,path~node port,from!=outside`: all parts must hold. `=` and `!=` compare, `~` and `!~` look for a part; a bare word
 * looks in the id. Case does not matter. Throws LabError EUSAGE that names the part.
 */
export function parseFilter(expression: string): (cell: Cell) => boolean {
  const parts = expression.split(',').map((part) => part.trim()).filter((part) => part !== '').map(parsePart);
  return (cell) => parts.every((matches) => matches(cell));
}

function parsePart(part: string): (cell: Cell) => boolean {
  const [, key, operator, raw = ''] = /^([a-z]+)\s*(!=|!~|=|~)\s*(.*)$/i.exec(part) ?? [];
  if (key === undefined || operator === undefined) return (cell) => cell.id.includes(part.toLowerCase());
  const field = FIELDS[key.toLowerCase() as keyof typeof FIELDS] as ((cell: Cell) => string) | undefined;
  if (field === undefined) throw new LabError('EUSAGE', `--filter: '${key}' in '${part}' is no field of a cell; there are ${Object.keys(FIELDS).join(', ')}`);
  const wanted = raw.toLowerCase();
  return (cell) => {
    const value = field(cell).toLowerCase();
    const found = operator.endsWith('~') ? value.includes(wanted) : value === wanted;
    return operator.startsWith('!') ? !found : found;
  };
}

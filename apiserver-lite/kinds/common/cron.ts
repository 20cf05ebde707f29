const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const fields = [
  { name: 'minute', min: 0, max: 59, words: [] },
  { name: 'hour', min: 0, max: 23, words: [] },
  { name: 'day of month', min: 1, max: 31, words: [] },
  { name: 'month', min: 1, max: 12, words: MONTHS },
  { name: 'day of week', min: 0, max: 7, words: DAYS },
] as const;

/** What is wrong with a five-field cron schedule or `@daily`, `@every 5m`; undefined when it is good. */
export function cronFault(schedule: string): string | undefined {
  if (/(^|\s)(TZ|CRON_TZ)=/.test(schedule)) return 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead';
  if (schedule.startsWith('@')) {
    const known = /^@(yearly|annually|monthly|weekly|daily|midnight|hourly|every (\d+(\.\d+)?(ns|us|ms|s|m|h))+)$/;
    return known.test(schedule) ? undefined : `unrecognized descriptor: ${schedule}`;
  }
  const parts = schedule.trim().split(/\s+/);
  if (parts.length !== 5) return `expected exactly 5 fields, found ${parts.length}: [${parts.join(' ')}]`;
  for (const [index, field] of fields.entries()) {
    for (const range of (parts[index] ?? '').split(',')) {
      if (!isRange(range, field)) return `failed to parse ${field.name} ${JSON.stringify(range)}: values are ${field.min}-${field.max}, *, ranges a-b and steps /n`;
    }
  }
  return undefined;
}

type Field = Readonly<{ min: number; max: number; words: readonly string[] }>;

function isRange(text: string, field: Field): boolean {
  const [range = '', step, extra] = text.split('/');
  if (extra !== undefined || (step !== undefined && !/^[1-9]\d*$/.test(step))) return false;
  if (range === '*' || range === '?') return true;
  const [from, to, more] = range.split('-').map((word) => valueOf(word, field));
  if (more !== undefined || from === undefined || Number.isNaN(from)) return false;
  return to === undefined || (!Number.isNaN(to) && from <= to);
}

/** A number in range, or a name of a month or day; NaN when it is neither. */
function valueOf(word: string, { min, max, words }: Field): number {
  const named = words.indexOf(word.toLowerCase());
  const value = named >= 0 ? named + min : /^\d+$/.test(word) ? Number(word) : NaN;
  return value >= min && value <= max ? value : NaN;
}

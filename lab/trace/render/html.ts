// A trace as one HTML file: the player of player.html with the trace inside. It loads nothing from anywhere.
import { readFileSync } from 'node:fs';
import type { Trace } from '../model.ts';

/** JSON that cannot end the script element it stands in. */
const embedded = (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c');

export function renderHtml(trace: Trace): string {
  const player = readFileSync(new URL('player.html', import.meta.url), 'utf8');
  return player.replace(/(<script type="application\/json" id="data">)\{\}/, (_all, opening: string) => `${opening}${embedded(trace)}`);
}

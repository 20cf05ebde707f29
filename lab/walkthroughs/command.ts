// `podwire walkthrough`.
import { LabError } from '../errors.ts';
import { table } from '../table.ts';
import type { Lab } from '../state/existing.ts';
import { lessonNamed, lessons } from './catalogue.ts';
import { runLesson } from './run.ts';

export const walkthroughList = (): string => table(['WALKTHROUGH', 'WHAT ONE LEARNS'], lessons.map(({ name, title, about }) => [name, `${title}. ${about}`]));

/** Runs a lesson on the terminal. 0: all as foretold. 1: not. An interruption heals the cluster first, and is an error. */
export async function walkthroughCommand(lab: Lab, name: string): Promise<0 | 1> {
  const lesson = lessonNamed(name);
  const interrupted = new AbortController();
  const stop = (): void => {
    process.stderr.write('\ninterrupted; healing the cluster\n');
    interrupted.abort();
  };
  // Once: whoever insists with a second Ctrl-C gets the default; `podwire fault --undo all` heals then.
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    const wrong = await runLesson(lab, lesson, (line) => { process.stdout.write(`${line}\n`); }, interrupted.signal);
    return wrong === 0 ? 0 : 1;
  } catch (error) {
    if (interrupted.signal.aborted) throw new LabError('EFAILED', `walkthrough ${name}: interrupted; the cluster is healed`, { cause: error });
    throw error;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

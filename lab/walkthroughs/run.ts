// Runs a lesson: each step says, does, foretells, looks and compares; whatever happens, the cluster is healed at the end.
import type { Lab } from '../state/existing.ts';
import type { Lesson, Step } from './model.ts';
import { Stage } from './stage.ts';

export type Say = (line: string) => void;

const width = 100;

/** Words in lines of a readable length, indented. */
export function wrapped(text: string, indent: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + word.length + 1 > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((one) => `${indent}${one}`).join('\n');
}

async function runStep(stage: Stage, one: Step, number: number, say: Say): Promise<boolean> {
  say(`\n${number}. ${wrapped(one.say, '   ').trimStart()}`);
  stage.signal.throwIfAborted();
  if (one.do !== undefined) say(`   do       ${await one.do(stage)}`);
  say(`   foretold ${one.predict}`);
  const { seen, asForetold } = await one.observe(stage);
  for (const [index, line] of seen.entries()) say(`   ${index === 0 ? 'seen    ' : '        '} ${line.replaceAll('\n', `\n            `)}`);
  say(`   ${asForetold ? 'as foretold' : 'NOT AS FORETOLD'}`);
  return asForetold;
}

/** Returns how many steps were not as foretold. An interruption (`signal`) is thrown, after healing. */
export async function runLesson(lab: Lab, lesson: Lesson, say: Say, signal: AbortSignal): Promise<number> {
  say(`${lesson.title}\n${wrapped(lesson.about, '')}`);
  const stage = await Stage.open(lab, signal);
  let wrong = 0;
  try {
    for (const [index, one] of lesson.steps.entries()) if (!(await runStep(stage, one, index + 1, say))) wrong += 1;
  } finally {
    try {
      await stage.heal();
      say('\nThe cluster is healed: no fault is in force, the lesson\'s objects are gone.');
    } finally {
      stage.close();
    }
  }
  return wrong;
}

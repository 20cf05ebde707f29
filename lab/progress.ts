// Long steps: a live list on a terminal, plain lines elsewhere.
import { Listr } from 'listr2';

/** What a running step may say about itself. */
export type Note = (text: string) => void;

export interface Step {
  readonly title: string;
  /** Returns what to add to the title when done: "started", "3 nodes". */
  readonly run: (note: Note) => Promise<string | undefined>;
}

/** Prints one line; replaced in tests. */
export type Print = (line: string) => void;

/** Runs steps one after another; the first error ends them. */
export async function runSteps(steps: readonly Step[], print: Print | undefined): Promise<void> {
  // A terminal without a width (some containers give one) cannot show a list.
  if (print === undefined && process.stderr.isTTY && process.stderr.columns >= 40) return live(steps);
  const say = print ?? ((line: string): void => { process.stderr.write(`${line}\n`); });
  for (const step of steps) {
    const started = performance.now();
    const result = await step.run((text) => { say(`  ${text}`); });
    say(`${step.title}${result === undefined ? '' : `: ${result}`} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  }
}

async function live(steps: readonly Step[]): Promise<void> {
  const list = new Listr(
    steps.map((step) => ({
      title: step.title,
      task: async (_: unknown, task: { output: string; title: string }): Promise<void> => {
        const result = await step.run((text) => { task.output = text; });
        if (result !== undefined) task.title = `${step.title}: ${result}`;
      },
    })),
    { renderer: 'default', rendererOptions: { collapseErrors: false, showErrorMessage: false } },
  );
  // The live list draws on standard output; the result of the command (a path, JSON) must stay alone there.
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  try {
    await list.run();
  } finally {
    process.stdout.write = write;
  }
}

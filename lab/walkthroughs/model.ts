// What a lesson is: steps that say something, do something, foretell what will be seen, look, and compare. Each lesson breaks or
// forbids something too (its negative control): a check that cannot fail teaches nothing.
import type { Trace } from '../trace/index.ts';
import type { Stage } from './stage.ts';

/** What was seen, for people, and whether it is what was foretold. */
export interface Finding {
  readonly seen: readonly string[];
  readonly asForetold: boolean;
}

export interface Step {
  /** What this is about and why, in a few sentences. */
  readonly say: string;
  /** What is changed; returns the command that does the same by hand. */
  readonly do?: (stage: Stage) => Promise<string>;
  /** What should be seen. */
  readonly predict: string;
  readonly observe: (stage: Stage) => Promise<Finding>;
}

export interface Lesson {
  readonly name: string;
  readonly title: string;
  /** What one knows afterwards. */
  readonly about: string;
  readonly steps: readonly Step[];
}

/** A step as it is written: observing and checking apart, bound by what is observed. */
export interface StepSpec<T> extends Omit<Step, 'observe'> {
  readonly observe: (stage: Stage) => Promise<T>;
  readonly show: (value: T) => readonly string[];
  readonly check: (value: T) => boolean;
}

export function step<T>({ observe, show, check, ...rest }: StepSpec<T>): Step {
  return {
    ...rest,
    observe: async (stage) => {
      const value = await observe(stage);
      return { seen: show(value), asForetold: check(value) };
    },
  };
}

export interface TraceStepSpec extends Omit<Step, 'observe'> {
  readonly trace: (stage: Stage) => Promise<Trace>;
  readonly check: (trace: Trace) => boolean;
  /** Which hops to show; default: the verdict alone. */
  readonly hops?: (hop: Trace['hops'][number]) => boolean;
}

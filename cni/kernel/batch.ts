interface Waiting<T> {
  readonly item: T;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Gathers the calls of one turn of the event loop into one piece of work: thirty pods that go at once cost little more
 * than one. When the work for all fails, each is tried alone, so that an error reaches only whom it concerns.
 */
export function batched<T>(work: (items: readonly T[]) => void | Promise<void>): (item: T) => Promise<void> {
  let waiting: Waiting<T>[] = [];
  const run = async (batch: readonly Waiting<T>[]): Promise<void> => {
    try {
      await work(batch.map(({ item }) => item));
      for (const { done } of batch) done();
    } catch (error) {
      const [only, ...others] = batch;
      if (others.length === 0) only?.failed(error);
      else for (const each of batch) await run([each]);
    }
  };
  return async (item) => {
    await new Promise<void>((done, failed) => {
      waiting.push({ item, done, failed });
      if (waiting.length > 1) return;
      setImmediate(() => {
        const batch = waiting;
        waiting = [];
        void run(batch);
      });
    });
  };
}

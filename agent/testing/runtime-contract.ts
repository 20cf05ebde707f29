// What every container engine must do, whichever stands behind the interface. Run with the fake and with a real Docker engine.
import type { ExecutionContext, TestFn } from 'ava';
import { containerName, labels } from '../labels.ts';
import { RuntimeError } from '../runtime/runtime.ts';
import type { ContainerRuntime, ContainerSpec, RuntimeContainer } from '../runtime/runtime.ts';

export interface ContractSubject {
  readonly runtime: ContainerRuntime;
  readonly image: string;
  /** Tells containers of this run from all others. */
  readonly cluster: string;
}

const pod = { uid: 'contract-uid', name: 'pod', namespace: 'default' };
const signal = new AbortController().signal;

function spec(subject: ContractSubject, name: string, attempt: number, command: readonly string[]): ContainerSpec {
  return {
    name: containerName(name, { ...pod, uid: subject.cluster }, attempt), image: subject.image, command,
    labels: { [labels.cluster]: subject.cluster, [labels.role]: 'container', [labels.podUid]: pod.uid, [labels.containerName]: name, [labels.restartCount]: String(attempt) },
    env: ['A=1'], network: 'none', ipc: 'shareable', pid: 'private', mounts: [], tty: false, stdin: false, stdinOnce: false,
  };
}

/** Registers the contract's tests. `subject` is asked once per test. */
export function runtimeContract(test: TestFn, what: string, subject: () => Promise<ContractSubject>): void {
  const forever = ['sleep', '1000'];
  const list = async (one: ContractSubject): Promise<readonly RuntimeContainer[]> => one.runtime.containers.list({ [labels.cluster]: one.cluster }, signal);
  const find = async (one: ContractSubject, id: string): Promise<RuntimeContainer | undefined> => (await list(one)).find((container) => container.id === id);
  const contract = (title: string, body: (t: ExecutionContext, one: ContractSubject) => Promise<void>): void => {
    test.serial(`${what}: ${title}`, async (t) => body(t, await subject()));
  };

  contract('a container is created, then started, and carries its labels', async (t, one) => {
    const id = await one.runtime.containers.create(spec(one, 'a', 0, forever), signal);
    const created = await find(one, id);
    t.is(created?.state, 'created');
    t.is(created?.labels[labels.containerName], 'a');
    await one.runtime.containers.start(id, signal);
    const running = await find(one, id);
    t.is(running?.state, 'running');
    t.true((running?.pid ?? 0) > 0 && (running?.startedAt ?? 0) > 0);
    await one.runtime.containers.remove(id, signal);
    t.is(await find(one, id), undefined);
  });

  contract('a name is taken only once: the guard against a double start', async (t, one) => {
    const id = await one.runtime.containers.create(spec(one, 'b', 0, forever), signal);
    const error = await t.throwsAsync(one.runtime.containers.create(spec(one, 'b', 0, forever), signal), { instanceOf: RuntimeError });
    t.is(error.code, 'ECONFLICT');
    await one.runtime.containers.remove(id, signal);
  });

  contract('killing and removing what is gone is fine; starting it is ENOTFOUND', async (t, one) => {
    const id = await one.runtime.containers.create(spec(one, 'c', 0, forever), signal);
    await one.runtime.containers.remove(id, signal);
    await t.notThrowsAsync(one.runtime.containers.remove(id, signal));
    await t.notThrowsAsync(one.runtime.containers.kill(id, 'SIGTERM', signal));
    const error = await t.throwsAsync(one.runtime.containers.start(id, signal), { instanceOf: RuntimeError });
    t.is(error.code, 'ENOTFOUND');
  });

  contract('SIGKILL ends a container, an event tells, and the exit code stays', async (t, one) => {
    const stop = new AbortController();
    const seen: string[] = [];
    let died = (): void => undefined;
    const death = new Promise<void>((resolve) => { died = resolve; });
    const following = (async () => {
      for await (const event of one.runtime.events({ [labels.cluster]: one.cluster }, stop.signal)) {
        seen.push(`${event.action} ${event.podUid}`);
        if (event.action === 'die') died();
      }
    })();
    // The stream is open when the first event of a probe container arrives.
    while (seen.length === 0) {
      const probe = await one.runtime.containers.create(spec(one, 'probe', 0, forever), signal);
      await one.runtime.containers.remove(probe, signal);
    }
    const id = await one.runtime.containers.create(spec(one, 'd', 0, forever), signal);
    await one.runtime.containers.start(id, signal);
    await one.runtime.containers.kill(id, 'SIGKILL', signal);
    await death;
    stop.abort();
    await following;
    const ended = await find(one, id);
    t.is(ended?.state, 'exited');
    t.is(ended?.exitCode, 137);
    t.true(seen.includes(`start ${pod.uid}`));
    await one.runtime.containers.remove(id, signal);
  });

  contract('a command run in a container gives its exit code', async (t, one) => {
    const id = await one.runtime.containers.create(spec(one, 'e', 0, forever), signal);
    await one.runtime.containers.start(id, signal);
    const streams = await one.runtime.streams.exec(id, { command: ['true'], stdin: false, tty: false }, signal);
    streams.stdout.resume();
    streams.stderr.resume();
    t.is(await streams.exit, 0);
    await one.runtime.containers.remove(id, signal);
  });

  contract('an image that is not here is undefined, one that is has an id', async (t, one) => {
    t.is(await one.runtime.images.inspect('podwire.invalid/none:1', signal), undefined);
    t.not((await one.runtime.images.inspect(one.image, signal))?.id, undefined);
    t.true((await one.runtime.images.list(signal)).some((image) => image.names.includes(one.image)));
  });
}

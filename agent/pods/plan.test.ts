import test from 'ava';
import fc from 'fast-check';
import { aContainer, aPod, aRuntimeContainer as run, aSandbox, memory, observed, sandboxId } from '../testing/fixtures.ts';
import { emptyMemory } from './observed.ts';
import type { Memory, Observed } from './observed.ts';
import { planPod } from './plan.ts';
import type { Plan } from './plan.ts';

const nothing: Observed = { sandboxes: [], containers: [], network: undefined };
const now = 2500;

/** Actions as short words: `start main#1`, `kill main`. */
function words(plan: Plan): string[] {
  return plan.actions.map((action) => action.kind === 'start-container' ? `start ${action.container.name}#${action.attempt}`
    : action.kind === 'kill-container' ? `kill ${action.name}` : action.kind === 'remove-container' ? `remove ${action.id}` : action.kind);
}

const deleted = { metadata: { deletionTimestamp: '1970-01-01T00:00:30Z', deletionGracePeriodSeconds: 30 } };

const cases: readonly [string, ReturnType<typeof aPod>, Observed, Memory, readonly string[]][] = [
  ['a new pod gets its sandbox first', aPod(), nothing, emptyMemory, ['create-sandbox']],
  ['without a podCIDR a pod waits', aPod(), nothing, memory({ networkReady: false }), []],
  ['without a podCIDR a pod on the host network does not wait', aPod({ hostNetwork: true }), nothing, memory({ networkReady: false }), ['create-sandbox']],
  ['a running sandbox is wired before any container starts', aPod(), observed([], { network: undefined }), emptyMemory, ['attach-network']],
  ['a wired sandbox gets all main containers at once', aPod({ containers: [aContainer('a'), aContainer('b')] }), observed([]), emptyMemory, ['start a#0', 'start b#0']],
  ['an action in progress is not planned again', aPod({ containers: [aContainer('a'), aContainer('b')] }), observed([]), memory({ busy: new Set(['a']) }), ['start b#0']],
  ['a pod as it should be needs nothing', aPod(), observed([run('main')]), emptyMemory, []],
  ['init containers come one by one', aPod({ initContainers: [aContainer('i1'), aContainer('i2')] }), observed([]), emptyMemory, ['start i1#0']],
  ['a running init container is waited for', aPod({ initContainers: [aContainer('i1'), aContainer('i2')] }), observed([run('i1')]), emptyMemory, []],
  ['after an init container the next', aPod({ initContainers: [aContainer('i1'), aContainer('i2')] }), observed([run('i1', { state: 'exited' })]), emptyMemory, ['start i2#0']],
  ['a sidecar does not hold up what follows', aPod({ initContainers: [aContainer('side', { restartPolicy: 'Always' }), aContainer('i')] }), observed([run('side')]), emptyMemory, ['start i#0']],
  ['a sidecar with a startup probe holds it up until it has started', aPod({ initContainers: [aContainer('side', { restartPolicy: 'Always', startupProbe: {} })] }), observed([run('side')]), emptyMemory, []],
  ['a failed init container of a pod that never restarts ends the pod', aPod({ restartPolicy: 'Never', initContainers: [aContainer('i')] }), observed([run('i', { state: 'exited', exitCode: 1 })]), emptyMemory, ['remove-sandbox']],
  ['a container that ended is restarted at once the first time', aPod(), observed([run('main', { state: 'exited', exitCode: 1 })]), emptyMemory, ['start main#1']],
  ['and later only after its back-off', aPod(), observed([run('main', { state: 'exited', exitCode: 1, attempt: 3, crashes: 3 })]), emptyMemory, []],
  ['with OnFailure a success is final', aPod({ restartPolicy: 'OnFailure', containers: [aContainer('a'), aContainer('b')] }), observed([run('a', { state: 'exited' }), run('b')]), emptyMemory, []],
  ['when all have ended for good the sandbox goes', aPod({ restartPolicy: 'OnFailure' }), observed([run('main', { state: 'exited' })]), emptyMemory, ['remove-sandbox']],
  ['a container without its sandbox is killed', aPod(), observed([run('main')], { sandboxes: [aSandbox({ state: 'exited' })] }), emptyMemory, ['kill main']],
  ['a dead sandbox is removed before a new one', aPod(), observed([run('main', { state: 'exited' })], { sandboxes: [aSandbox({ state: 'exited' })] }), emptyMemory, ['remove-sandbox']],
  ['containers of the old sandbox start anew in the new one', aPod(), observed([run('main', { state: 'exited', sandbox: 'old' })]), emptyMemory, ['start main#1']],
  ['a container that was made but never started is made anew', aPod(), observed([run('main', { state: 'created', startedAt: 0 })]), emptyMemory, ['remove main-0']],
  ['an image changed in place replaces the container', aPod({ containers: [aContainer('main', { image: 'app:2' })] }), observed([run('main')]), emptyMemory, ['kill main']],
  ['a failed liveness probe kills the container', aPod({ containers: [aContainer('main', { livenessProbe: {} })] }), observed([run('main')]),
    memory({ probes: new Map([['main', { containerId: 'main-0', started: true, ready: true, unhealthy: 'dead' }]]) }), ['kill main']],
  ['a probe result of an earlier attempt means nothing', aPod({ containers: [aContainer('main', { livenessProbe: {} })] }), observed([run('main', { attempt: 1 })]),
    memory({ probes: new Map([['main', { containerId: 'main-0', started: true, ready: true, unhealthy: 'dead' }]]) }), []],
  ['one dead attempt is kept for its log, older ones go', aPod(), observed([run('main', { attempt: 3 }), run('main', { attempt: 2, state: 'exited' }), run('main', { attempt: 1, state: 'exited' })]), emptyMemory, ['remove main-1']],
  ['a failed pull is not repeated within its back-off', aPod(), observed([]), memory({ failures: new Map([['main', { count: 1, at: 2000, reason: 'ErrImagePull', message: '' }]]) }), []],
  ['a deleted pod kills its main containers first', aPod({ initContainers: [aContainer('side', { restartPolicy: 'Always' })] }, deleted), observed([run('main'), run('side')]), emptyMemory, ['kill main']],
  ['then its sidecars', aPod({ initContainers: [aContainer('side', { restartPolicy: 'Always' })] }, deleted), observed([run('main', { state: 'exited' }), run('side')]), emptyMemory, ['kill side']],
  ['then its sandbox', aPod({}, deleted), observed([run('main', { state: 'exited' })]), emptyMemory, ['remove-sandbox']],
  ['but not while something of it is still being started', aPod({}, deleted), observed([]), memory({ busy: new Set(['main']) }), []],
  ['and at last itself', aPod({}, deleted), observed([run('main', { state: 'exited' })], { sandboxes: [], network: undefined }), emptyMemory, ['finish-pod']],
  ['an evicted pod is stopped but stays in the API', aPod(), observed([], { sandboxes: [] }), memory({ ended: { reason: 'Evicted', message: '' } }), []],
  ['a pod that the API calls Failed is never started again', aPod({}, { status: { phase: 'Failed' } }), nothing, emptyMemory, []],
];

for (const [title, pod, seen, remembered, expected] of cases) {
  test(title, (t) => t.deepEqual(words(planPod(pod, seen, remembered, now)), expected));
}

test('a back-off says when to look again', (t) => {
  const plan = planPod(aPod(), observed([run('main', { state: 'exited', exitCode: 1, attempt: 1, crashes: 1 })]), emptyMemory, now);
  t.is(plan.wakeAt, 2000 + 10_000);
});

test('whatever the engine holds, no container is started while an attempt of it runs, and none without a wired sandbox', (t) => {
  const states = fc.constantFrom('running' as const, 'exited' as const, 'created' as const);
  fc.assert(fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'b', 'i'), states, fc.integer({ min: 0, max: 3 }), fc.boolean(), fc.constantFrom(0, 1)), { maxLength: 8 }), fc.boolean(), fc.boolean(), fc.boolean(), (found, hasSandbox, hasNetwork, isDeleted) => {
    const containers = found.map(([name, state, attempt, current, exitCode], index) => run(name, { id: `${name}-${index}`, state, attempt, exitCode, ...(current ? {} : { sandbox: 'old' }) }));
    const pod = aPod({ containers: [aContainer('a'), aContainer('b')], initContainers: [aContainer('i')] }, isDeleted ? deleted : {});
    const seen: Observed = { sandboxes: hasSandbox ? [aSandbox()] : [], containers, network: hasNetwork ? { sandboxId, ips: [] } : undefined };
    const { actions } = planPod(pod, seen, emptyMemory, 1e9);
    for (const action of actions) {
      if (action.kind !== 'start-container') continue;
      t.true(hasSandbox && hasNetwork && !isDeleted);
      const latest = containers.filter((one) => one.id.startsWith(`${action.container.name}-`)).sort((x, y) => Number(y.labels['io.kubernetes.container.restartCount']) - Number(x.labels['io.kubernetes.container.restartCount']))[0];
      t.true(latest?.state !== 'running');
      t.true(action.attempt > Number(latest?.labels['io.kubernetes.container.restartCount'] ?? -1));
    }
  }), { numRuns: 300 });
});

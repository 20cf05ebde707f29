import test from 'ava';
import { HttpError, parseLogRequest, parsePodPath, parseStreamOptions, refusal } from './request.ts';
import { exitStatus } from './remote-status.ts';

const paths: readonly [string, object][] = [
  ['/exec/default/web/main', { verb: 'exec', namespace: 'default', pod: 'web', uid: undefined, container: 'main' }],
  ['/attach/default/web/uid-1/main', { verb: 'attach', namespace: 'default', pod: 'web', uid: 'uid-1', container: 'main' }],
  ['/portForward/default/web', { verb: 'portForward', namespace: 'default', pod: 'web', uid: undefined, container: undefined }],
  ['/portForward/default/web/uid-1', { verb: 'portForward', namespace: 'default', pod: 'web', uid: 'uid-1', container: undefined }],
];
for (const [path, expected] of paths) test(path, (t) => t.deepEqual(parsePodPath(path), expected as ReturnType<typeof parsePodPath>));

test('a path without a pod is not found', (t) => {
  t.throws(() => parsePodPath('/exec/default'), { instanceOf: HttpError });
});

test('stream options are read in kubectl\'s words and in the API server\'s', (t) => {
  const expected = { command: ['ls', '-l'], stdin: true, stdout: true, stderr: false, tty: true };
  t.deepEqual(parseStreamOptions(new URLSearchParams('command=ls&command=-l&stdin=true&stdout=true&stderr=true&tty=true')), expected);
  t.deepEqual(parseStreamOptions(new URLSearchParams('command=ls&command=-l&input=1&output=1&error=1&tty=1')), expected);
  t.throws(() => parseStreamOptions(new URLSearchParams('command=ls')), { message: 'you must specify at least 1 of stdin, stdout, stderr' });
});

test('log options: since, tail, limit', (t) => {
  t.deepEqual(parseLogRequest(new URLSearchParams('follow=true&tailLines=0&sinceSeconds=10&limitBytes=5'), 100_000),
    { follow: true, previous: false, timestamps: false, tail: 0, since: 90, limitBytes: 5 });
  t.is(parseLogRequest(new URLSearchParams('sinceTime=1970-01-01T00:01:00Z'), 0).since, 60);
  for (const bad of ['tailLines=-1', 'tailLines=x', 'sinceSeconds=0', 'sinceTime=yesterday', 'sinceSeconds=1&sinceTime=1970-01-01T00:01:00Z']) {
    t.throws(() => parseLogRequest(new URLSearchParams(bad), 0), { instanceOf: HttpError }, bad);
  }
});

test('a refusal is a Status that kubectl prints', (t) => {
  const { code, body } = refusal(new HttpError(404, 'container not found ("x")'));
  t.is(code, 404);
  t.like(JSON.parse(body), { kind: 'Status', status: 'Failure', reason: 'NotFound', message: 'container not found ("x")' });
});

test('an exit code travels as the cause ExitCode', (t) => {
  t.like(exitStatus(3), { status: 'Failure', reason: 'NonZeroExitCode', details: { causes: [{ reason: 'ExitCode', message: '3' }] } });
  t.like(exitStatus(0), { status: 'Success' });
});

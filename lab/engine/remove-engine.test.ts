import test from 'ava';
import { mountsBelow } from './remove-engine.ts';

test('mounts below the lab are found deepest first, blanks undone, neighbours left alone', (t) => {
  const mounts = [
    'overlay / overlay rw 0 0',
    'tmpfs /run/podwire/abc123 tmpfs rw 0 0',
    'nsfs /run/podwire/abc123/underlay nsfs rw 0 0',
    'nsfs /run/podwire/abc1234/underlay nsfs rw 0 0',
    'shm /home/a\\040b/lab/shm tmpfs rw 0 0',
    '',
  ].join('\n');
  t.deepEqual(mountsBelow(['/run/podwire/abc123', '/home/a b/lab'], mounts), ['/run/podwire/abc123/underlay', '/run/podwire/abc123', '/home/a b/lab/shm']);
});

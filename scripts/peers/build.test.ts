import test from 'ava';
import { moduleText } from './build.ts';

test('the module puts every staging module at the version of the release, and leaves other replacements out', (t) => {
  const replace = [['k8s.io/api', './staging/src/k8s.io/api'], ['example.org/forked', 'example.org/fork'], ['k8s.io/kms', './staging/src/k8s.io/kms']] as const;
  t.is(moduleText('v1.36.3', { Go: '1.26.0', Replace: replace.map(([from, to]) => ({ Old: { Path: from }, New: { Path: to } })) }), `module podwire.dev/peers

go 1.26.0

require k8s.io/kubernetes v1.36.3

replace (
\tk8s.io/api => k8s.io/api v0.36.3
\tk8s.io/kms => k8s.io/kms v0.36.3
)
`);
});

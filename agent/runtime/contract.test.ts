import test from 'ava';
import { FakeRuntime } from '../testing/fake-runtime.ts';
import { runtimeContract } from '../testing/runtime-contract.ts';

runtimeContract(test, 'fake', () => {
  const runtime = new FakeRuntime();
  runtime.present.add('app:1');
  return Promise.resolve({ runtime, image: 'app:1', cluster: 'contract' });
});

// Every second kubectl version, so that one file stays quick; the work itself is in kubectl-versions.ts.
import test from 'ava';
import { kubectls, testEverydayWork } from './kubectl-versions.ts';

testEverydayWork(test, new Map([...kubectls()].filter(([version]) => Number(version.split('.')[1] ?? 0) % 2 !== 1)));

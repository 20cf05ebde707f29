// A test file of another folder, word for word, against another API server. Where that server is not to be had, one left-out test says so.
import test from 'ava';
import { cannotStart, chooseApiUnderTest } from '../helpers/api-under-test.ts';
import type { ApiUnderTest } from '../helpers/api-under-test.ts';

/** `load` imports the file; its tests are declared in the course of it. */
export async function sameTestsOn(api: ApiUnderTest, what: string, load: () => Promise<unknown>): Promise<void> {
  const reason = cannotStart(api);
  if (reason === undefined) {
    chooseApiUnderTest(api);
    await load();
    return;
  }
  test.skip(`${what} against ${api} (left out: ${reason})`, (t) => t.is(cannotStart(api), undefined));
}

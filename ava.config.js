// One process per test file: a file may then put itself into a private network namespace (`unshare`).
// The longest files start first, so that none of them runs alone at the end.
const longest = ['e2e/matrix', 'walkthroughs-run', 'lab-lifecycle', 'trace-paths', 'trace-drops', 'faults-undo', 'lab-faults', 'lab-kubectl'];
const rank = (file) => {
  const at = longest.findIndex((name) => file.includes(name));
  return at < 0 ? longest.length : at;
};

export default {
  sortTestFiles: (a, b) => rank(a) - rank(b) || (a < b ? -1 : 1),
  extensions: ['ts'],
  files: ['packages/**/*.test.ts', 'apiserver-lite/**/*.test.ts', 'proxy/**/*.test.ts', 'cni/**/*.test.ts', 'agent/**/*.test.ts', 'lab/**/*.test.ts', 'test/**/*.test.ts', 'scripts/**/*.test.ts'],
  workerThreads: false,
  concurrency: 2,
  timeout: '180s',
};

/** What `/version` says. Semver, so that kubectl's version checks and the kubectl dispatcher understand it. */
export const versionInfo = {
  major: '1', minor: '32', gitVersion: 'v1.32.0+podwire', gitCommit: '', gitTreeState: 'clean', buildDate: '1970-01-01T00:00:00Z',
  goVersion: `node-${process.version}`, compiler: 'node', platform: `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`,
} as const;

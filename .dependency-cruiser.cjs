// The dependency direction of the project, from the top of the README's map:
// packages/* <- proxy, cni, apiserver-lite <- agent <- lab. No cycles; the three in the middle never meet.
const part = (name) => `^${name}/`;
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'packages-know-no-part', severity: 'error', from: { path: '^packages/' }, to: { path: '^(apiserver-lite|proxy|cni|agent|lab|test)/' } },
    { name: 'first-three-packages-know-no-kubernetes', severity: 'error', from: { path: '^packages/(netlink|nftables-js|dgram-rpc)/', pathNot: '\\.test\\.ts$' }, to: { path: '^packages/kube-client/|kubernetes-types' } },
    { name: 'netlink-and-dgram-rpc-stand-alone', severity: 'error', from: { path: '^packages/(netlink|dgram-rpc)/' }, to: { path: '^packages/(nftables-js|kube-client)/' } },
    ...['apiserver-lite', 'proxy', 'cni'].map((name) => ({
      name: `${name}-stays-apart`, severity: 'error', from: { path: part(name) },
      to: { path: '^(apiserver-lite|proxy|cni|agent|lab|test)/', pathNot: part(name) },
    })),
    { name: 'agent-below-lab', severity: 'error', from: { path: '^agent/' }, to: { path: '^(lab|test|apiserver-lite)/' } },
    { name: 'lab-not-from-tests', severity: 'error', from: { path: '^lab/', pathNot: '\\.test\\.ts$' }, to: { path: '^test/' } },
    { name: 'product-needs-no-dev-dependency', severity: 'error', from: { path: '^(packages|apiserver-lite|proxy|cni|agent|lab)/', pathNot: '\\.(test|bench)\\.ts$|/testing/' }, to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] } },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)node_modules/(?!@podwire|nftables-js|dgram-rpc)|\\.cache/|\\.podwire/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types'], extensions: ['.ts', '.js', '.cjs', '.json', '.d.ts'] },
  },
};

/** Which way imports may point. Each rule says why; ARCHITECTURE.md draws the same picture. */
const edges = '^src/(mongo|queue|http|cli)/';

module.exports = {
  forbidden: [
    {
      name: 'no-circles',
      severity: 'error',
      comment: 'Two files that need each other are one file, or miss a third.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'domain-is-pure',
      severity: 'error',
      comment: 'Rules must be testable without a clock, a driver or a schema library: domain imports only domain.',
      from: { path: '^src/domain/' },
      to: { pathNot: '^src/domain/' },
    },
    {
      name: 'app-knows-ports-only',
      severity: 'error',
      comment: 'Use cases speak to ports, so that a store or a queue can change without them.',
      from: { path: '^src/app/' },
      to: { pathNot: '^src/(app|domain)/' },
    },
    {
      name: 'edges-do-not-meet',
      severity: 'error',
      comment:
        'mongo, queue, http and cli meet in the composition root; only cli may also speak to people through the producer.',
      from: { path: '^src/(mongo|queue|http)/' },
      to: { path: edges, pathNot: '^src/$1/' },
    },
    {
      name: 'cli-is-a-face',
      severity: 'error',
      comment: 'The command line goes through the context and the producer, never to the stores.',
      from: { path: '^src/cli/' },
      to: { path: '^src/(mongo|http)/' },
    },
    {
      name: 'src-is-a-library',
      severity: 'error',
      comment: 'Nothing that can be imported knows the processes, the tests or the development tools.',
      from: { path: '^src/' },
      to: { path: '^(workers|test|dev)/' },
    },
    {
      name: 'workers-do-not-know-the-bench',
      severity: 'error',
      comment: 'Production code never depends on tests or development tools.',
      from: { path: '^workers/' },
      to: { path: '^(test|dev)/' },
    },
    {
      name: 'not-to-dev-dependencies',
      severity: 'error',
      comment: 'What ships must not need what only builds.',
      from: { path: '^(src|workers)/' },
      to: { dependencyTypes: ['npm-dev'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};

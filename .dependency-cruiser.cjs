/**
 * Which files may import which. ARCHITECTURE.md draws the same picture.
 *
 * domain <- mongo, queue <- telemetry <- process, access <- campaigns <- conversations <- claims <- operations
 * <- contacts, reconcile, producer <- cli, http, context <- workers. No folder imports a later one.
 */
const LAYERS = [
  ['domain'],
  ['mongo', 'queue'],
  ['telemetry'],
  ['process', 'access', 'events'],
  ['campaigns'],
  ['conversations'],
  ['claims'],
  ['operations'],
  ['contacts', 'reconcile', 'producer'],
  ['cli', 'http'],
];
const SUBJECTS = 'access|events|campaigns|conversations|claims|operations|contacts|reconcile|producer|telemetry';

/**
 * The requests and jobs of a subject. The producer imports them instead of the index, because the index also exports the
 * stores: an app that only sends requests must not load the database driver.
 */
const CONTRACTS = '^src/(claims|operations|contacts)/(contract|jobs|moves-job)\\.ts$';

/** Files that only decide: they read no clock and call no database, queue or file system. */
const RULES = [
  '^src/domain/',
  '^src/campaigns/campaign\\.ts$',
  '^src/claims/(claim|contract|rules)\\.ts$',
  '^src/contacts/(cell-values|consent|contact|contract|fields|formulas|json-scanner|mapping|mapping-refusals|moments|row)\\.ts$',
  '^src/operations/(batch|contract|evaluate|moves|operation|planner|sources-and-targets|surplus)\\.ts$',
];

const layerRules = LAYERS.slice(0, -1).map((folders, index) => ({
  name: `${folders.join('-')}-imports-lower-layers-only`,
  severity: 'error',
  comment:
    'Imports point from the later folders to the earlier ones, so that each folder can be read after those before it.',
  from: { path: `^src/(${folders.join('|')})/` },
  to: {
    path: `^src/(${LAYERS.slice(index + 1)
      .flat()
      .join('|')})/`,
  },
}));

module.exports = {
  forbidden: [
    {
      name: 'no-circular-imports',
      severity: 'error',
      comment: 'Two files that need each other are one file, or a third file is missing.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'rules-import-only-rules',
      severity: 'error',
      comment: 'A rule can be tested without a database, and it gives the same answer each time.',
      from: { path: RULES },
      to: {
        path: '.',
        pathNot: [...RULES, '^src/queue/job\\.ts$', 'node_modules/(zod|libphonenumber-js)/'],
        dependencyTypesNot: ['type-only', 'core'],
      },
    },
    ...layerRules,
    {
      name: 'subjects-are-imported-through-their-index',
      severity: 'error',
      comment:
        'The index of a subject is its contract with the other subjects. Everything else in its folder may change.',
      from: { path: '^(src|workers)/', pathNot: [`^src/(${SUBJECTS})/`, '^src/index\\.ts$'] },
      to: { path: `^src/(${SUBJECTS})/`, pathNot: '/index\\.ts$' },
    },
    {
      name: 'subjects-import-each-other-through-their-index',
      severity: 'error',
      comment:
        'The index of a subject is its contract with the other subjects. Everything else in its folder may change.',
      from: { path: `^src/(${SUBJECTS})/`, pathNot: '^src/producer/' },
      to: { path: `^src/(${SUBJECTS})/`, pathNot: ['^src/$1/', '/index\\.ts$'] },
    },
    {
      name: 'the-producer-imports-contracts-only',
      severity: 'error',
      comment: 'An app that sends requests needs only Redis. Importing the index of a subject would load mongoose.',
      from: { path: '^src/(producer/|index\\.ts$)' },
      to: {
        path: '^src/',
        pathNot: ['^src/(domain|queue|producer)/', CONTRACTS],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'contracts-import-only-domain-and-jobs',
      severity: 'error',
      comment:
        'The producer imports the contracts, so everything that they import is loaded by apps that send requests.',
      from: { path: CONTRACTS },
      to: {
        path: ['^src/', 'mongoose', 'mongodb'],
        pathNot: ['^src/domain/', '^src/queue/job\\.ts$', CONTRACTS],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'src-is-a-library',
      severity: 'error',
      comment: 'Code that can be imported knows neither the worker processes nor the tests nor the development tools.',
      from: { path: '^src/' },
      to: { path: '^(workers|test|dev)/' },
    },
    {
      name: 'workers-are-production-code',
      severity: 'error',
      comment: 'Production code never depends on tests or development tools.',
      from: { path: '^workers/' },
      to: { path: '^(test|dev)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};

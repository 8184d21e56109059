/** Bundles only the command line, the HTTP server and the worker into the folder that the argument names, for `npm run baton`. */
import { fileURLToPath } from 'node:url';
import { bundleRunnable } from './bundles.ts';

const [folder = ''] = process.argv.slice(2);
await bundleRunnable(fileURLToPath(new URL('../../', import.meta.url)), folder);

/** `npm run build`: writes the package into `dist`. Nothing in `dist` needs another package. */
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { writeDeclarations } from './declarations.ts';
import { bundleProducer, bundlePrograms } from './bundles.ts';
import { writeLicences } from './licences.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const dist = `${root}dist`;

rmSync(dist, { recursive: true, force: true });
const bundled = [await bundleProducer(root, dist), await bundlePrograms(root, dist)];
writeLicences(root, dist, bundled.flat());
writeDeclarations(root, dist);

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { benchBulk, drawBulk } from './bulk.ts';
import { Ground } from './ground.ts';

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '20000,100000,1000000' },
    rounds: { type: 'string', default: '3' },
    out: { type: 'string' },
  },
});

const ground = await Ground.open();
try {
  await ground.place.setWorkers(1);
  const bulk = [];
  for (const size of values.sizes.split(',').map(Number))
    bulk.push(...(await benchBulk(ground, size, Number(values.rounds))));
  process.stdout.write(`\n${drawBulk(bulk)}\n`);
  if (values.out) writeFileSync(values.out, `${JSON.stringify({ bulk }, null, 2)}\n`);
} finally {
  await ground.place.close();
}

import { expect, test } from 'vitest';
import { composeCommands } from '../../../dev/services/docker.ts';

const ports = { mongo: 40001, redis: 40002 };

test('the up command uses its own project and ports and waits until the containers are healthy', () => {
  const { up } = composeCommands('baton-dev-7', ['mongo', 'redis'], ports);
  expect(up.slice(0, 7)).toEqual([
    'env',
    'BATON_MONGO_PORT=40001',
    'BATON_REDIS_PORT=40002',
    'docker',
    'compose',
    '--project-name',
    'baton-dev-7',
  ]);
  expect(up).toContain('--wait');
  expect(up.slice(-2)).toEqual(['mongo', 'redis']);
});

test('the up command starts only the requested services, and the down command removes their volumes', () => {
  const { up, down } = composeCommands('baton-dev-7', ['redis'], ports);
  expect(up.at(-1)).toBe('redis');
  expect(up).not.toContain('mongo');
  expect(down).toContain('--volumes');
  expect(down.join(' ')).toContain('--project-name baton-dev-7');
});

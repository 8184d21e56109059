import { describe, expect, test } from 'vitest';
import { chooseServices, type Machine } from '../../../dev/services/choose.ts';

const bareMachine: Machine = {
  mongodbUri: undefined,
  redisUrl: undefined,
  docker: false,
  debian: false,
  root: false,
  redisBinary: false,
};
const debianAsRoot: Machine = { ...bareMachine, debian: true, root: true };
const addresses = { mongodbUri: 'mongodb://somewhere', redisUrl: 'redis://somewhere' };

describe('chooseServices', () => {
  test('prefers servers that the environment names to everything else', () => {
    const choice = chooseServices({ ...debianAsRoot, ...addresses, docker: true });
    expect(choice).toEqual({ possible: true, mongo: 'environment', redis: 'environment' });
  });

  test('prefers Docker to private servers', () => {
    const choice = chooseServices({ ...debianAsRoot, docker: true });
    expect(choice).toEqual({ possible: true, mongo: 'docker', redis: 'docker' });
  });

  test('chooses MongoDB and Redis independently of each other', () => {
    const onlyRedis = chooseServices({ ...bareMachine, redisUrl: addresses.redisUrl, docker: true });
    expect(onlyRedis).toEqual({ possible: true, mongo: 'docker', redis: 'environment' });
    const onlyMongo = chooseServices({ ...bareMachine, mongodbUri: addresses.mongodbUri, redisBinary: true });
    expect(onlyMongo).toEqual({ possible: true, mongo: 'environment', redis: 'private' });
  });

  test('uses private servers for root on Debian', () => {
    expect(chooseServices(debianAsRoot)).toEqual({ possible: true, mongo: 'private', redis: 'private' });
  });

  test('cannot provide MongoDB without root, and the message lists every remedy', () => {
    const choice = chooseServices({ ...debianAsRoot, root: false });
    expect(choice).toMatchObject({ possible: false });
    const message = choice.possible ? '' : choice.message;
    expect(message).toContain('cannot provide MongoDB.');
    expect(message).toContain('MONGODB_URI');
    expect(message).toContain('Docker');
    expect(message).toContain('root on Debian 12');
  });

  test('names both services in the message when both are missing', () => {
    const choice = chooseServices(bareMachine);
    expect(choice.possible ? '' : choice.message).toContain('cannot provide MongoDB and Redis.');
  });
});

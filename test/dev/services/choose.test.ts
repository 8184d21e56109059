import { describe, expect, test } from 'vitest';
import { chooseServices, type Facts } from '../../../dev/services/choose.ts';

const nothing: Facts = {
  mongodbUri: undefined,
  redisUrl: undefined,
  docker: false,
  debian: false,
  root: false,
  redisBinary: false,
};
const bareDebian: Facts = { ...nothing, debian: true, root: true };
const given = { mongodbUri: 'mongodb://somewhere', redisUrl: 'redis://somewhere' };

describe('where MongoDB and Redis come from', () => {
  test('what is given wins over everything', () => {
    const choice = chooseServices({ ...bareDebian, ...given, docker: true });
    expect(choice).toEqual({ possible: true, mongo: 'given', redis: 'given' });
  });

  test('Docker wins over servers of our own', () => {
    expect(chooseServices({ ...bareDebian, docker: true })).toEqual({
      possible: true,
      mongo: 'docker',
      redis: 'docker',
    });
  });

  test('each is chosen by itself: one given, the other not', () => {
    const onlyRedis = { ...nothing, redisUrl: given.redisUrl };
    expect(chooseServices({ ...onlyRedis, docker: true })).toEqual({ possible: true, mongo: 'docker', redis: 'given' });
    const onlyMongo = { ...nothing, mongodbUri: given.mongodbUri, redisBinary: true };
    expect(chooseServices(onlyMongo)).toEqual({ possible: true, mongo: 'given', redis: 'private' });
  });

  test('a bare Debian as root has both of its own', () => {
    expect(chooseServices(bareDebian)).toEqual({ possible: true, mongo: 'private', redis: 'private' });
  });

  test('without root there is no MongoDB of our own, and the message says what helps', () => {
    const choice = chooseServices({ ...bareDebian, root: false });
    expect(choice).toMatchObject({ possible: false });
    const message = choice.possible ? '' : choice.message;
    expect(message).toContain('no MongoDB to be had');
    expect(message).toContain('MONGODB_URI');
    expect(message).toContain('Docker');
    expect(message).toContain('root on Debian 12');
  });

  test('a machine with nothing is told that both are missing', () => {
    const choice = chooseServices(nothing);
    expect(choice.possible ? '' : choice.message).toContain('no MongoDB nor Redis');
  });
});

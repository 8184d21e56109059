import { pairsOf, testPairs } from './support/test-pairs.ts';
import { WRITERS } from './support/writers.ts';

testPairs(pairsOf(WRITERS));

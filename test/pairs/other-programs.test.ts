import { OTHER_PROGRAMS } from './support/other-programs.ts';
import { testPairs } from './support/test-pairs.ts';
import { WRITERS } from './support/writers.ts';

testPairs(WRITERS.flatMap((writer) => OTHER_PROGRAMS.map((other) => [writer, other] as const)));

import { describe, expectTypeOf, it } from 'vitest';
import type { z } from 'zod';
import type { claimRequest } from '../../src/claims/contract.ts';
import type { personJob } from '../../src/contacts/contract.ts';
import type {
  CancelInput,
  ClaimInput,
  MovesInput,
  OperationInput,
  PersonRequest,
  PreviewInput,
} from '../../src/domain/inputs.ts';
import type { DeepReadonly } from '../../src/domain/requests.ts';
import type { cancelRequest, operationRequest, previewRequest } from '../../src/operations/contract.ts';
import type { movesRequest } from '../../src/operations/moves-job.ts';
import type { Same } from '../support/same-type.ts';

type Checked<Schema extends z.ZodType> = DeepReadonly<z.input<Schema>>;
type Claim = { readonly kind: 'self-assign' };
/** The compiler checks these, with the types of the tests. */
describe('the types of requests', () => {
  it('that callers see are those that the schemas check', () => {
    expectTypeOf<Same<OperationInput, Checked<typeof operationRequest>>>().toEqualTypeOf<true>();
    expectTypeOf<Same<PreviewInput, Checked<typeof previewRequest>>>().toEqualTypeOf<true>();
    expectTypeOf<Same<CancelInput, Checked<typeof cancelRequest>>>().toEqualTypeOf<true>();
    expectTypeOf<Same<ClaimInput & Claim, Checked<typeof claimRequest>>>().toEqualTypeOf<true>();
    expectTypeOf<Same<MovesInput, Checked<typeof movesRequest>>>().toEqualTypeOf<true>();
    expectTypeOf<Same<PersonRequest, Checked<typeof personJob>['request']>>().toEqualTypeOf<true>();
  });
});

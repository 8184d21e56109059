import { HttpProblem } from '../problem.ts';

/** Lets a limited number of large requests run at once, so that they do not take the memory and disk of all others. */
export class Places {
  private readonly max: number;
  private readonly noun: string;
  private taken = 0;

  /** `noun` names the requests in the plural. */
  constructor(max: number, noun: string) {
    this.max = max;
    this.noun = noun;
  }

  /** Returns a function that gives the place back. Throws a problem if all places are taken. */
  take(): () => void {
    if (this.taken >= this.max) throw this.busy();
    this.taken += 1;
    let isTaken = true;
    return () => {
      if (isTaken) this.taken -= 1;
      isTaken = false;
    };
  }

  private busy(): HttpProblem {
    return new HttpProblem('busy', {
      message: `the server runs ${this.max} ${this.noun} already; send the request again later`,
      expected: `fewer than ${this.max} ${this.noun} at once`,
      received: 'one more',
      headers: { 'retry-after': '5' },
    });
  }
}

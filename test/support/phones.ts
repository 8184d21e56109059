const FIRST = 2_000_000;

/** Returns a valid phone number in the form of E.164. Different numbers from 0 to 7,999,999 give different ones. */
export function phoneOf(number: number): string {
  return `+1212${FIRST + number}`;
}

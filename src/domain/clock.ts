/**
 * The source of the current time. Workers use the time of the database, because their own clocks may differ from each
 * other; tests pass a clock of their own.
 */
export interface Clock {
  now(): Date;
}

/**
 * One promise of an interface as a test that needs no framework:
 * `for (const { name, run } of storeSuite) it(name, () => run(fixture));`
 */
export interface ConformanceCase<Fixture> {
  /** What must hold, as a sentence. */
  readonly name: string;
  /** Rejects with an AssertionError where it does not hold. */
  run(fixture: Fixture): Promise<void>;
}

/** Rings for whoever waits; what rings while nobody does is heard once, later. */
export class Bell {
  #rung = false;
  #error: unknown;
  #isBroken = false;
  #hear = (): void => {};

  readonly ring = (): void => {
    this.#rung = true;
    this.#hear();
  };

  /** Nothing more will be heard: whoever waits, or comes, gets the error, the first one. */
  readonly break = (error: unknown): void => {
    if (!this.#isBroken) this.#error = error;
    this.#isBroken = true;
    this.#hear();
  };

  /** Until it rings. @throws what it was broken with */
  async heard(): Promise<void> {
    if (!this.#rung && !this.#isBroken)
      await new Promise<void>((resolve) => {
        this.#hear = resolve;
      });
    if (this.#isBroken) throw this.#error;
    this.#rung = false;
  }
}

/** One commit for many writes: it costs a flush of the disk, whatever its size. */

/** Between two commits, for more writes to come together. */
const PAUSE_MS = 5;

export class Commits {
  readonly #state: DurableObjectState;
  /** What waits for the disk. */
  readonly #writes: (() => void)[] = [];
  #isWriting = false;

  constructor(state: DurableObjectState) {
    this.#state = state;
  }

  /**
   * Writes that come while the disk is busy go to it together. Whoever asked hears of it when it is on the disk, for
   * nothing leaves an object before.
   */
  together<T>(write: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#writes.push(() => {
      try {
        resolve(write());
      } catch (error) {
        reject(error);
      }
    });
    if (!this.#isWriting) this.#state.waitUntil(this.#writeAll());
    return promise;
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    try {
      while (this.#writes.length > 0) {
        for (const write of this.#writes.splice(0)) write();
        await this.#state.storage.sync();
        await scheduler.wait(PAUSE_MS);
      }
    } finally {
      this.#isWriting = false;
    }
  }
}

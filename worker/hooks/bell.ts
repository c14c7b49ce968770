/** The bell that calls the classifier: a queue of the ids of events that wait for it. */
import type { Env } from "../env.ts";
import { logError } from "../log.ts";
import type { HookMessage } from "./consumer.ts";

/** Messages of a batch to the queue. */
const MAX_BATCH = 100;

export class Bell {
  readonly #state: DurableObjectState;
  readonly #env: () => Pick<Env, "HOOK_QUEUE">;
  /** On their way to the queue. */
  #messages: HookMessage[] = [];
  #isSending = false;

  constructor(state: DurableObjectState, env: () => Pick<Env, "HOOK_QUEUE">) {
    this.#state = state;
    this.#env = env;
  }

  /** Events that come while a batch is sent go together in the next one. What the queue does not take is lost. */
  ring(hook: string, events: string[]): void {
    this.#messages.push(...events.map((event) => ({ hook, event })));
    if (!this.#isSending) this.#state.waitUntil(this.#sendAll());
  }

  /** Forgets what was not sent. */
  silence(): void {
    this.#messages = [];
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    try {
      while (this.#messages.length > 0) {
        await this.#env().HOOK_QUEUE.sendBatch(this.#messages.splice(0, MAX_BATCH).map((body) => ({ body })));
      }
    } catch (error) {
      // The alarm sends them again.
      logError("hooks: the queue takes nothing", {}, error);
      this.silence();
    } finally {
      this.#isSending = false;
    }
  }
}

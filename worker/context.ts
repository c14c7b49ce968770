/** What a request finds in its context: types that the app, its middleware and its routes share. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Env } from "./env.ts";
import type { ProblemRenderer } from "./errors.ts";
import type { Payment } from "./middleware/payment.ts";
import type { ModelStore, RequestScope } from "./store.ts";

export interface AppEnv {
  Bindings: Env;
  Variables: {
    store: ModelStore;
    scope: RequestScope;
    payment: Payment;
    account: string;
    requestId: string;
    /** Milliseconds of the request's parts, by name, for Server-Timing. */
    timings: Record<string, number>;
    /** The API key, if the request brought it elsewhere than in `Authorization`. */
    apiKey?: string;
    /** How this route's clients expect errors, if not as problem+json. */
    renderProblem?: ProblemRenderer;
  };
}

export type App = OpenAPIHono<AppEnv>;

/**
 * Entry point of the Worker, and the classes of its Durable Objects. The app, and with it the loaded models, live as long as the isolate.
 */
import { createApp } from "./app.ts";

export { AccountDirectory } from "./billing/directory.ts";
export { FreeQuota } from "./billing/free-quota.ts";
export { Ledger } from "./billing/ledger.ts";

export default createApp();

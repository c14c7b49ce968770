/**
 * Entry point of the Worker. The app, and with it the loaded models, live as long as the isolate.
 */
import { createApp } from "./app.ts";

export default createApp();

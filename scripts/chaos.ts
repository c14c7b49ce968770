/**
 * `npm run chaos -- <what>`: breaks the Worker on purpose, for real, and shows that it keeps its promises: processes of
 * workerd that are killed, receivers that fail, requests that are forged. Ends with 1 if a bar is missed.
 */
import { Command } from "commander";
import { billingCommand } from "./chaos/billing.ts";
import { hooksCommand } from "./chaos/hooks.ts";

await new Command("chaos")
  .description("What the Worker promises, while everything around it fails")
  .addCommand(billingCommand())
  .addCommand(hooksCommand())
  .parseAsync();

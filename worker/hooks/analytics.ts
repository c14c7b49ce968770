/** One data point for each event that is done, and for each request that was refused, in Workers Analytics Engine. */
import type { Env } from "../env.ts";
import type { EventStatus } from "./event-store.ts";

export interface EventPoint {
  hook: string;
  outcome: EventStatus | "refused" | "duplicate";
  label?: string | null;
  reason?: string | null;
  attempts?: number;
  /** From the intake to the outcome. */
  durationMs?: number;
}

/** blob1 outcome, blob2 label, blob3 reason; double1 attempts, double2 duration; index1 hook */
export function recordEvent({ HOOK_EVENTS }: Pick<Env, "HOOK_EVENTS">, point: EventPoint): void {
  HOOK_EVENTS.writeDataPoint({
    indexes: [point.hook],
    blobs: [point.outcome, point.label ?? "", (point.reason ?? "").slice(0, 200)],
    doubles: [point.attempts ?? 0, point.durationMs ?? 0],
  });
}

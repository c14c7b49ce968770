/** How a run shows itself: a progress bar with loss, rate and time left, and a line for each evaluation. */
import cliProgress from "cli-progress";
import type { DevMetrics, StepMetrics } from "./trainer.ts";

export interface TrainingConsole {
  onStep(metrics: StepMetrics, totalSteps: number): void;
  onEvaluation(metrics: DevMetrics): void;
  stop(): void;
}

/** @param scoreName what the dev score is, e.g. "dev BLEU" */
export function trainingConsole(scoreName: string): TrainingConsole {
  const bar = new cliProgress.SingleBar({
    format: "epoch {epoch} |{bar}| step {value}/{total} · loss {loss} · {rate} tokens/s · {eta_formatted} left",
    hideCursor: true,
    noTTYOutput: true,
    notTTYSchedule: 60_000,
    etaBuffer: 50,
  });
  let started = false;
  return {
    onStep({ step, epoch, loss, tokens_per_s }, totalSteps) {
      const payload = { epoch: epoch + 1, loss: loss.toFixed(3), rate: tokens_per_s };
      const total = Math.max(totalSteps, step);
      if (!started) bar.start(total, step, payload);
      started = true;
      bar.setTotal(total);
      bar.update(step, payload);
    },
    onEvaluation({ epoch, dev_loss, dev_score, elapsed_s }) {
      bar.stop();
      started = false;
      const minutes = Math.round(elapsed_s / 60);
      console.log(
        `epoch ${epoch}: dev loss ${dev_loss.toFixed(3)}, ${scoreName} ${dev_score.toFixed(2)}, ${minutes} min`,
      );
    },
    stop: () => bar.stop(),
  };
}

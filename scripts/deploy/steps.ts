/**
 * Steps that follow each other, each of which finds out whether it is done already: so the whole of them can be run
 * again after a failure, and does what is left.
 */

export interface Step {
  name: string;
  /** @returns a question to be answered with yes before `run`, or undefined if there is nothing to do */
  plan?: () => Promise<string | undefined>;
  /** @returns what came of it, for people */
  run: () => Promise<string | undefined>;
}

type State = "done" | "was done" | "failed" | "refused" | "not begun";

/**
 * @param ask whether to do something
 * @throws Error that says what is done, what failed and what is not begun
 */
export async function takeSteps(steps: Step[], ask: (question: string) => Promise<boolean>): Promise<void> {
  const states = new Map<string, State>(steps.map(({ name }) => [name, "not begun"]));
  for (const { name, plan, run } of steps) {
    try {
      const question = plan ? await plan() : "";
      if (question === undefined) {
        states.set(name, "was done");
        console.log(`✓ ${name}: is there`);
        continue;
      }
      if (question !== "" && !(await ask(question))) {
        states.set(name, "refused");
        throw new Error("you said no; nothing else is begun");
      }
      const result = await run();
      states.set(name, "done");
      console.log(`✓ ${name}${result ? `: ${result}` : ""}`);
    } catch (cause) {
      if (states.get(name) === "not begun") states.set(name, "failed");
      const reason = cause instanceof Error ? cause.message : String(cause);
      const table = [...states].map(([step, state]) => `  ${state.padEnd(10)} ${step}`).join("\n");
      throw new Error(`${name}: ${reason}\n${table}\nRun it again: what is done is found, and what is left is done.`, {
        cause,
      });
    }
  }
}

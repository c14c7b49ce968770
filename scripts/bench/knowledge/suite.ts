/**
 * A knowledge base of 100,000 entries as its operator fills it and a client asks it: through HTTP, workerd, and a Durable
 * Object on disk. The questions are made of parts, so that they have the words that all questions have, and need no data.
 */
import type { ModelFolder } from "../../publish/model-folder.ts";
import { hash32, shuffle, uniformStream } from "../../training/random.ts";
import { type Figure, summarize } from "../figures.ts";
import type { Bundle } from "../worker/bundle.ts";
import { startWorkerd, type Workerd } from "../worker/workerd.ts";

const ENTRIES = 100_000;
const IMPORT = 1_000;
const ADMIN_KEY = "bench";
const BASE = "bench";

const VERBS =
  "activate add block book cancel change check close combine compare confirm connect copy delete download edit exchange export extend find fix freeze insure lend move open order pause pay print renew rent repair replace report return sell share track";
const NOUNS =
  "account address alarm appointment balance battery bill booking bonus card charger claim code contract coupon credit delivery deposit device discount flight heater insurance invoice key lamp licence loan locker luggage meal meter modem number order parcel password payment phone pin plan policy printer profile receipt refund room router screen seat signature subscription table tariff ticket transfer visa voucher warranty";
const TIMES =
  "today tomorrow tonight abroad online offline early late twice again quickly safely by phone by post by mail at night at noon on sunday on monday in january in march in july in october in berlin in paris in rome in oslo in london in tokyo after a move after a theft after an accident before christmas before easter without a key without a receipt without an account with a friend with a coupon for my mother for my son for a company for a student for a school";

interface Pair {
  id: string;
  question: string;
  answer: string;
}

/** All of them different. */
function makePairs(): Pair[] {
  const [verbs, nouns] = [VERBS, NOUNS].map((words) => words.split(" ")) as [string[], string[]];
  const times = TIMES.split(
    / (?=today|tomorrow|tonight|abroad|online|offline|early|late|twice|again|quickly|safely|by|at|on|in|after|before|with|without|for)/,
  );
  const pairs = verbs.flatMap((verb) =>
    nouns.flatMap((noun) =>
      times.map((time) => ({
        id: `${verb}-${noun}-${time.replaceAll(" ", "-")}`,
        question: `How do I ${verb} my ${noun} ${time}?`,
        answer: `To ${verb} your ${noun} ${time}, ask at the desk.`,
      })),
    ),
  );
  if (pairs.length < ENTRIES) throw new Error(`bench: expected ${ENTRIES} pairs, made ${pairs.length}`);
  return shuffle(pairs, uniformStream(hash32(1))).slice(0, ENTRIES);
}

/** @param runs counted questions */
export async function benchKnowledge(bundle: Bundle, model: ModelFolder, runs: number): Promise<Figure[]> {
  const pairs = makePairs();
  const workerd = await startWorkerd(bundle, model, { ADMIN_KEY, BILLING: "off" });
  try {
    const rates = await fill(workerd, pairs);
    const answers: number[] = [];
    let right = 0;
    let beforeMs: number | undefined;
    const asked = shuffle([...pairs], uniformStream(hash32(2))).slice(0, 2 * runs);
    for (const [i, { id, question }] of asked.entries()) {
      // Not word for word, as people ask.
      const body = { knowledge_base: BASE, question: question.replace("How do I", "can i"), threshold: 0 };
      const { text, ms } = await workerd.send("POST", "/v1/answer", body);
      if (i < runs) continue;
      if (i === runs) beforeMs = await workerd.cpuMs();
      answers.push(ms);
      right += Number((JSON.parse(text) as { source: { entry: string } }).source.entry === id);
    }
    const afterMs = await workerd.cpuMs();
    const cpuMs = beforeMs !== undefined && afterMs !== undefined ? (afterMs - beforeMs) / (runs - 1) : undefined;
    return [
      summarize(`answer from ${ENTRIES.toLocaleString("en")} entries, warm, in workerd`, "ms", answers, { atMost: 60 }),
      ...(cpuMs === undefined ? [] : [{ name: "  CPU time of the process, mean", unit: "ms", value: cpuMs }]),
      { name: "  of them the very entry", unit: "%", value: (100 * right) / runs },
      summarize(`  import, entries a second, ${IMPORT} in a request`, "1/s", rates),
    ];
  } finally {
    await workerd.close();
  }
}

async function fill(workerd: Workerd, pairs: Pair[]): Promise<number[]> {
  const headers = { authorization: `Bearer ${ADMIN_KEY}` };
  await workerd.send("PUT", `/v1/knowledge/${BASE}`, {}, headers);
  const rates: number[] = [];
  for (let start = 0; start < pairs.length; start += IMPORT) {
    const entries = pairs.slice(start, start + IMPORT);
    const { ms } = await workerd.send("PUT", `/v1/knowledge/${BASE}/entries`, { entries }, headers);
    rates.push((1000 * entries.length) / ms);
  }
  return rates;
}

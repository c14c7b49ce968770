/**
 * Cold starts, part by part: a new process each time, so that nothing is compiled, cached or in memory. What the
 * isolate's start takes is the process of workerd with our Worker against one with an empty Worker. Then comes the
 * first request to the first token: it loads the model from the local bucket, checks it, and runs code of the baseline
 * compiler.
 */
import { expectTask } from "../../../worker/model/config.ts";
import { Tokenizer } from "../../../worker/model/tokenizer.ts";
import type { ModelFolder } from "../../publish/model-folder.ts";
import { startChild } from "../child.ts";
import { type Figure, summarize } from "../figures.ts";
import { makeRandomFolder } from "../random-folder.ts";
import { makeRandomModel } from "../random-model.ts";
import type { Bundle } from "./bundle.ts";
import type { ColdParts, methods as NodeMethods } from "./cold-node.ts";
import { SENTENCE, translateRequest } from "./serving.ts";
import { startEmptyWorkerd, startWorkerd } from "./workerd.ts";

/** A model.safetensors of 10 MB: what an edge model may weigh. */
const TEN_MB = { d_model: 256, d_ff: 1024, n_heads: 8, vocab_size: 10_500 };

export async function benchCold(bundle: Bundle, model: ModelFolder, runs: number): Promise<Figure[]> {
  const tokenizerJson = model.contents.get("tokenizer.json")!;
  const large = await makeRandomFolder(makeRandomModel(TEN_MB), tokenizerJson);
  const config = expectTask("translation", model.manifest.config);
  const weights = model.contents.get("model.safetensors") as Uint8Array<ArrayBuffer>;
  const source = Tokenizer.fromJson(new TextDecoder().decode(tokenizerJson)).encode(SENTENCE);
  const samples = { worker: [], empty: [], answer: [], load: [], token: [], largeToken: [] } as Record<
    string,
    number[]
  >;
  const parts: ColdParts[] = [];
  for (let run = 0; run < runs; run++) {
    samples.empty!.push(await startEmptyWorkerd());
    const first = await startWorkerd(bundle, model);
    samples.worker!.push(first.startMs);
    const { answer, ms } = await first.translate(translateRequest(model, 1));
    samples.answer!.push(ms);
    samples.load!.push(answer.timing.load_ms);
    await first.close();
    samples.token!.push(await coldFirstToken(bundle, model));
    samples.largeToken!.push(await coldFirstToken(bundle, large));
    const child = startChild<typeof NodeMethods>(new URL("cold-node.ts", import.meta.url));
    parts.push(await child.measure(config, weights, source));
    await child.close();
  }
  const of = (key: keyof ColdParts) => parts.map((part) => part[key]);
  const megabytes = (folder: ModelFolder) => (folder.contents.get("model.safetensors")!.length / 1e6).toFixed(1);
  return [
    summarize("process and isolate start, our Worker", "ms", samples.worker!),
    summarize("  the same with an empty Worker and our bindings", "ms", samples.empty!),
    summarize("kernels instantiated (Node)", "ms", of("instantiateMs")),
    summarize("model loaded from memory (Node)", "ms", of("loadMs")),
    summarize("encoder and first token, code not warmed up (Node)", "ms", of("firstTokenMs")),
    summarize("first answer of a cold isolate, model from local R2", "ms", samples.answer!, { atMost: 400 }),
    summarize("  of it loading the model", "ms", samples.load!),
    summarize(`cold isolate to first token, ${megabytes(model)} MB model in local R2`, "ms", samples.token!),
    summarize(`cold isolate to first token, ${megabytes(large)} MB model in local R2`, "ms", samples.largeToken!, {
      atMost: 150,
    }),
  ];
}

async function coldFirstToken(bundle: Bundle, model: ModelFolder): Promise<number> {
  const workerd = await startWorkerd(bundle, model);
  try {
    return await workerd.firstToken({ ...translateRequest(model, 1), max_tokens: 8 });
  } finally {
    await workerd.close();
  }
}

/** A model that can run, wherever its files came from. */
import type { Embedder } from "./engine/embed.ts";
import type { Classifier } from "./engine/heads.ts";
import type { Reader } from "./engine/reader.ts";
import type { Transformer } from "./engine/transformer.ts";
import type { Task } from "./model/config.ts";
import type { Manifest } from "./model/manifest.ts";
import type { Tokenizer } from "./model/tokenizer.ts";

/** What computes, by task. */
interface Engines {
  translation: Transformer;
  classification: Classifier;
  embedding: Embedder;
  "question-answering": Reader;
}

/** A model in wasm memory, with what is needed to use it. */
export interface LoadedModel<T extends Task = Task> {
  manifest: Manifest<T>;
  tokenizer: Tokenizer;
  engine: Engines[T];
  /** Whether a text's letters are mostly of the scripts that the model reads. */
  readsScript: (text: string) => boolean;
}

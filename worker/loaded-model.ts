/** A model that can run, wherever its files came from. */
import type { Embedder } from "./engine/embed.ts";
import type { Classifier } from "./engine/heads.ts";
import type { Reader } from "./engine/reader.ts";
import type { Recommender } from "./engine/recommender.ts";
import type { Transformer } from "./engine/transformer.ts";
import type { Task } from "./model/config.ts";
import type { Catalogue } from "./model/items.ts";
import type { Manifest } from "./model/manifest.ts";
import type { Tokenizer } from "./model/tokenizer.ts";

/** What is needed to use a model that reads text. */
interface TextParts<Engine> {
  tokenizer: Tokenizer;
  engine: Engine;
  /** Whether a text's letters are mostly of the scripts that the model reads. */
  readsScript: (text: string) => boolean;
}

/** By task. */
interface Parts {
  translation: TextParts<Transformer>;
  classification: TextParts<Classifier>;
  embedding: TextParts<Embedder>;
  "question-answering": TextParts<Reader>;
  recommendation: { engine: Recommender; catalogue: Catalogue };
}

/** A model in wasm memory, with what is needed to use it. */
export type LoadedModel<T extends Task = Task> = { manifest: Manifest<T> } & Parts[T];

/** Bytes that a model holds now: wasm memory, and of the heap what grows with it. */
export function memoryOf(model: LoadedModel): number {
  return model.engine.memoryBytes + ("catalogue" in model ? model.catalogue.memoryBytes : 0);
}

/**
 * Greedy translation with the ONNX export on the peer, one token at a time with its key/value cache: what a program
 * around onnxruntime does, and nothing more than it must.
 */
import type { InferenceSession } from "onnxruntime-web";
import { headSize, type TranslationConfig } from "../../../worker/model/config.ts";
import { cacheNames, type OnnxTranslation } from "../../export/onnx.ts";
import type { Feeds, Peer } from "../onnxruntime.ts";

export class PeerTranslator {
  readonly #config: TranslationConfig;
  readonly #peer: Peer;
  readonly #encoder: InferenceSession;
  readonly #decoder: InferenceSession;

  private constructor(config: TranslationConfig, peer: Peer, encoder: InferenceSession, decoder: InferenceSession) {
    this.#config = config;
    this.#peer = peer;
    this.#encoder = encoder;
    this.#decoder = decoder;
  }

  static async load(config: TranslationConfig, model: OnnxTranslation, peer: Peer): Promise<PeerTranslator> {
    const encoder = await peer.createSession(model.encoder);
    return new PeerTranslator(config, peer, encoder, await peer.createSession(model.decoder));
  }

  /**
   * Encodes a source.
   * @param source token ids, end token included
   * @returns the cross-attention keys and values, by the decoder's names
   */
  async encode(source: readonly number[]): Promise<Feeds> {
    return (await this.#encoder.run({ input_ids: this.#peer.integers(source) })) as Feeds;
  }

  /**
   * @param source token ids without the end token
   * @param maxTokens of the target at most, the end token counted
   * @returns target tokens without the end token
   */
  async translate(source: readonly number[], maxTokens: number): Promise<number[]> {
    const { bos_token_id, eos_token_id } = this.#config;
    const tokens: number[] = [];
    await this.decode(await this.encode([...source, eos_token_id]), maxTokens, bos_token_id, (logits) => {
      const best = indexOfLargest(logits);
      if (best === eos_token_id) return undefined;
      tokens.push(best);
      return best;
    });
    return tokens;
  }

  /**
   * The decoder's loop.
   * @param cross from `encode`
   * @param first token to feed
   * @param choose is given the logits after each token; returns the token to feed next, or undefined to end
   */
  async decode(
    cross: Feeds,
    maxTokens: number,
    first: number,
    choose: (logits: Float32Array) => number | undefined,
  ): Promise<void> {
    const { n_dec_layers, n_heads } = this.#config;
    const feeds: Feeds = { ...cross };
    for (let i = 0; i < n_dec_layers; i++) {
      for (const name of cacheNames("past", i)) {
        feeds[name] = this.#peer.floats(new Float32Array(0), [n_heads, 0, headSize(this.#config)]);
      }
    }
    let token: number | undefined = first;
    for (let position = 0; position < maxTokens && token !== undefined; position++) {
      feeds.input_ids = this.#peer.integers([token]);
      feeds.position = this.#peer.integers([position]);
      const outputs = (await this.#decoder.run(feeds)) as Feeds;
      for (let i = 0; i < n_dec_layers; i++) {
        const present = cacheNames("present", i);
        cacheNames("past", i).forEach((name, j) => {
          feeds[name] = outputs[present[j]!]!;
        });
      }
      token = choose(outputs.logits!.data as Float32Array);
    }
  }

  async release(): Promise<void> {
    await this.#encoder.release();
    await this.#decoder.release();
  }
}

/** Place of the largest element, the first of equal ones. */
export function indexOfLargest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

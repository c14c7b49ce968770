/**
 * The Worker as it is, with an engine that fails: of the translations, every so many throw at one of their first steps.
 * `GET /steps` counts the steps of the decoder, to show that nothing was computed. The failing share comes by `/fail`.
 */
import { createApp } from "../../../worker/app.ts";
import type { Env } from "../../../worker/env.ts";
import type { LoadedModel } from "../../../worker/loaded-model.ts";
import type { Task } from "../../../worker/model/config.ts";
import type { Manifest } from "../../../worker/model/manifest.ts";
import { type Lease, ModelStore, type RequestScope } from "../../../worker/store.ts";

export {
  AccountDirectory,
  FreeQuota,
  HookDirectory,
  HookObject,
  KnowledgeDirectory,
  KnowledgeObject,
  Ledger,
} from "../../../worker/index.ts";

let steps = 0;
let failingShare = 0;

class FailingStore extends ModelStore {
  override async acquire<T extends Task>(scope: RequestScope, manifest: Manifest<T>): Promise<Lease<T>> {
    const lease = await super.acquire(scope, manifest);
    const failAt = Math.random() < failingShare ? steps + 1 + Math.floor(Math.random() * 6) : Infinity;
    return { ...lease, model: failing(lease.model, failAt) };
  }
}

function failing<T extends Task>(model: LoadedModel<T>, failAt: number): LoadedModel<T> {
  const engine = model.engine as LoadedModel<"translation">["engine"];
  const wrapped = {
    config: engine.config,
    encoderMacs: engine.encoderMacs,
    decoderMacs: engine.decoderMacs,
    hasShortlist: engine.hasShortlist,
    createCache: () => engine.createCache(),
    encode: (...args: Parameters<typeof engine.encode>) => engine.encode(...args),
    releaseSource: (...args: Parameters<typeof engine.releaseSource>) => engine.releaseSource(...args),
    step: (...args: Parameters<typeof engine.step>) => {
      if (++steps >= failAt) throw new Error("injected failure of the engine");
      return engine.step(...args);
    },
  };
  return { ...model, engine: wrapped as unknown as LoadedModel<T>["engine"] };
}

const app = createApp(new FailingStore());

export default {
  fetch(request, env, context) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/fail") failingShare = Number(searchParams.get("share"));
    if (pathname === "/steps" || pathname === "/fail") return Response.json({ steps });
    return app.fetch(request, env, context);
  },
} satisfies ExportedHandler<Env>;

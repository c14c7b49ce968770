/**
 * The models of an isolate: which ones R2 offers, which ones are loaded, and which one has to go.
 *
 * A model is loaded once; requests that come meanwhile wait for the same load, and a load that failed is forgotten.
 * The catalogue is read again once it is older than its time to live, behind the back of the request that finds it
 * old; a new version is loaded the same way while the old one still answers. Loaded models share a memory budget:
 * the least recently used one goes first, and one that a request is using never goes.
 */
import type { Settings } from "./env.ts";
import { modelUnavailable, overloaded, Problem } from "./errors.ts";
import { type LoadedModel, memoryOf } from "./loaded-model.ts";
import { type Catalog, loadModel, readCatalog } from "./loading.ts";
import { logError } from "./log.ts";
import type { Task } from "./model/config.ts";
import { isManifestFor, type Manifest, modelIdSchema } from "./model/manifest.ts";

/** What a request brings along: its bindings, and a way to outlive its response. */
export interface RequestScope {
  bucket: R2Bucket;
  kernels: WebAssembly.Module;
  settings: Settings;
  /** As ExecutionContext.waitUntil: shared work must not die with the request that began it. */
  waitUntil: (work: Promise<unknown>) => void;
}

/** A model held by a request. It stays in memory until `release`. */
export interface Lease<T extends Task> {
  model: LoadedModel<T>;
  /**
   * Waits until the engine has room for so many rows: sentences × beam in translation, one in classification, which
   * keeps nothing from one pass to the next. Few rows find room beside many.
   * @throws Problem overloaded if there is none for long
   */
  enter: (rows: number) => Promise<void>;
  release: () => void;
}

interface Entry {
  model: LoadedModel;
  /** The requests that use it now: when each began, and the rows it computes. */
  leases: Set<{ sinceMs: number; rows: number }>;
}

/**
 * A request of this age counts as dead: the runtime may end one, for its CPU time, without a chance to release. If it
 * lives after all, it keeps its model alive by itself.
 */
const LEASE_LIFE_MS = 120_000;
/**
 * Rows that one model computes at a time, over all requests; each row has its keys and values in the model's memory,
 * some 300 kB. The last of them are left to requests of few rows.
 */
const MAX_ROWS = 128;
const RESERVED_ROWS = 32;
const FEW_ROWS = 8;
/** How long a request waits for room, and how often it looks. */
const MAX_WAIT_MS = 30_000;
const WAIT_STEP_MS = 5;
/** A load of this age is dead too: who waits for it gives up, and the next request starts over. */
const LOAD_LIFE_MS = 30_000;
/** What the arena takes beside the bytes of the weights. */
const ARENA_ESTIMATE = 1.25;

export class ModelStore {
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  /** By `nameOf`. */
  readonly #loads = new Map<string, Promise<Entry>>();
  /** When a new version failed to load, by the same name. */
  readonly #failedMs = new Map<string, number>();
  #catalog: Catalog | undefined;
  #catalogReadMs = 0;
  #catalogRead: Promise<Catalog> | undefined;

  /** The manifests that R2 holds, ordered by id; broken ones are left out. */
  async list(scope: RequestScope): Promise<Manifest[]> {
    const catalog = await this.#currentCatalog(scope);
    return [...catalog.values()]
      .filter((entry): entry is Manifest => !(entry instanceof Error))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /**
   * The models that may answer a request, ordered by id.
   * @param id the one that the request asks for; without it all that do the task
   * @throws Problem unknown_model, or model_unavailable if there is none at all or the manifest is broken
   */
  async candidates<T extends Task>(scope: RequestScope, task: T, id?: string): Promise<Manifest<T>[]> {
    if (id !== undefined) return [await this.#find(scope, task, id)];
    const manifests = (await this.list(scope)).filter((manifest) => isManifestFor(task, manifest));
    if (manifests.length === 0) throw modelUnavailable(`R2 holds no model for ${task}; run npm run upload`);
    return manifests;
  }

  async #find<T extends Task>(scope: RequestScope, task: T, id: string): Promise<Manifest<T>> {
    let entry = (await this.#currentCatalog(scope)).get(id);
    // It may have been uploaded a moment ago. Only what can be an id is worth a second look.
    if (entry === undefined && modelIdSchema.safeParse(id).success && Date.now() > this.#catalogReadMs + 1000) {
      entry = (await this.#readCatalog(scope)).get(id);
    }
    if (entry instanceof Error) throw modelUnavailable(entry.message, entry);
    if (entry && isManifestFor(task, entry)) return entry;
    const known = [...(this.#catalog ?? [])]
      .filter(([, other]) => other instanceof Error || other.config.task === task)
      .map(([name]) => name);
    const offer =
      known.length > 0 ? `one of ${known.join(", ")}` : `none: R2 holds no model for ${task}; run npm run upload`;
    const got = JSON.stringify(id) + (entry ? `, which is for ${entry.config.task}` : "");
    throw new Problem("unknown_model", `model: expected ${offer}; got ${got}`, { extensions: { models: known } });
  }

  /**
   * Holds a model for a request, loading it first if need be.
   * @throws Problem model_unavailable if it cannot be loaded, overloaded if other models leave no room for it
   */
  async acquire<T extends Task>(scope: RequestScope, manifest: Manifest<T>): Promise<Lease<T>> {
    const { id } = manifest;
    const entry = await this.#entryOf(scope, manifest);
    if (this.#entries.get(id) === entry) {
      this.#entries.delete(id);
      this.#entries.set(id, entry);
    }
    const { leases, model } = entry;
    const lease = { sinceMs: Date.now(), rows: 0 };
    leases.add(lease);
    const enter = async (rows: number) => {
      const most = rows <= FEW_ROWS ? MAX_ROWS : MAX_ROWS - RESERVED_ROWS;
      const deadlineMs = Date.now() + MAX_WAIT_MS;
      // Looks again and again instead of being called: a request that the runtime has ended calls nobody.
      while (liveLeases(entry).rows + rows > most) {
        if (Date.now() > deadlineMs) throw overloaded(`model ${id}: too many requests are using it; try again`);
        await scheduler.wait(WAIT_STEP_MS);
      }
      lease.rows = rows;
    };
    // `#entryOf` gives none of another task, which types cannot say.
    return { model: model as unknown as LoadedModel<T>, enter, release: () => leases.delete(lease) };
  }

  /** A loaded version of the model that does the manifest's task. */
  async #entryOf(scope: RequestScope, manifest: Manifest): Promise<Entry> {
    const entry = this.#entries.get(manifest.id);
    if (entry?.model.manifest.config.task !== manifest.config.task) return this.#shareLoad(scope, manifest);
    if (entry.model.manifest.version !== manifest.version) this.#replace(scope, manifest);
    return entry;
  }

  /** Loads a new version while the old one answers. One that fails is tried again after a time to live. */
  #replace(scope: RequestScope, manifest: Manifest): void {
    const name = nameOf(manifest);
    if (Date.now() < (this.#failedMs.get(name) ?? 0) + scope.settings.modelTtlMs) return;
    const load = this.#shareLoad(scope, manifest).then(
      () => this.#failedMs.clear(),
      (error) => {
        this.#failedMs.set(name, Date.now());
        logError(error.message);
      },
    );
    scope.waitUntil(load);
  }

  /** The models in memory, least recently used first. */
  loaded(): { id: string; version: string; memoryBytes: number }[] {
    return [...this.#entries.values()].map(({ model }) => ({
      id: model.manifest.id,
      version: model.manifest.version,
      memoryBytes: memoryOf(model),
    }));
  }

  async #currentCatalog(scope: RequestScope): Promise<Catalog> {
    // An empty one is worth nothing: whoever deploys asks before the upload, too.
    if (!this.#catalog?.size) return this.#readCatalog(scope);
    if (Date.now() >= this.#catalogReadMs + scope.settings.modelTtlMs) {
      scope.waitUntil(this.#readCatalog(scope).catch((error) => logError(error.message)));
    }
    return this.#catalog;
  }

  #readCatalog(scope: RequestScope): Promise<Catalog> {
    if (this.#catalogRead) return outlive(this.#catalogRead, () => this.#forgetCatalogRead());
    const read = readCatalog(scope.bucket)
      .then((catalog) => {
        this.#catalog = catalog;
        this.#catalogReadMs = Date.now();
        for (const entry of catalog.values()) if (entry instanceof Error) logError(entry.message);
        for (const id of this.#entries.keys()) if (!catalog.has(id)) this.#entries.delete(id);
        return catalog;
      })
      .catch((cause) => {
        throw modelUnavailable(`R2: the list of models cannot be read; ${reason(cause)}`, cause);
      })
      .finally(() => this.#forgetCatalogRead());
    this.#catalogRead = read;
    scope.waitUntil(read.catch(() => {}));
    return read;
  }

  #forgetCatalogRead(): void {
    this.#catalogRead = undefined;
  }

  #shareLoad(scope: RequestScope, manifest: Manifest): Promise<Entry> {
    const name = nameOf(manifest);
    const running = this.#loads.get(name);
    if (running) return outlive(running, () => this.#loads.delete(name));
    const load = this.#load(scope, manifest).finally(() => {
      if (this.#loads.get(name) === load) this.#loads.delete(name);
    });
    this.#loads.set(name, load);
    scope.waitUntil(load.catch(() => {}));
    return load;
  }

  async #load(scope: RequestScope, manifest: Manifest): Promise<Entry> {
    const { id, version, files } = manifest;
    this.#makeRoom(scope.settings.memoryBudgetBytes, memoryEstimate(files), id);
    try {
      const model = await loadModel(scope.bucket, manifest, scope.kernels);
      this.#makeRoom(scope.settings.memoryBudgetBytes, memoryOf(model), id);
      const entry: Entry = { model, leases: new Set() };
      // The old version leaves only now; requests that still use it keep it alive.
      this.#entries.delete(id);
      this.#entries.set(id, entry);
      return entry;
    } catch (error) {
      if (error instanceof Problem) throw error;
      // What the catalogue says may be what is wrong: the next request reads it anew, unless an old version serves it.
      if (!this.#entries.has(id)) this.#catalog = undefined;
      throw modelUnavailable(`model ${id} ${version}: ${reason(error)}`, error);
    }
  }

  /** Evicts until `bytes` more fit into the budget. */
  #makeRoom(budgetBytes: number, bytes: number, id: string): void {
    if (bytes > budgetBytes) {
      throw modelUnavailable(`model ${id}: needs ${mib(bytes)}, MODEL_MEMORY_BUDGET_MIB is ${mib(budgetBytes)}`);
    }
    const usedBytes = () => this.loaded().reduce((sum, model) => sum + model.memoryBytes, 0);
    for (const [other, entry] of this.#entries) {
      if (usedBytes() + bytes <= budgetBytes) return;
      if (liveLeases(entry).count === 0) this.#entries.delete(other);
    }
    if (usedBytes() + bytes > budgetBytes) {
      throw overloaded(`model ${id}: needs ${mib(bytes)}, and other models in use leave no room; try again`);
    }
  }
}

/** Memory of a model before it is known. */
function memoryEstimate(files: Manifest["files"]): number {
  return (files["model.safetensors"].bytes + (files["items.txt"]?.bytes ?? 0)) * ARENA_ESTIMATE;
}

function nameOf({ id, version }: Manifest): string {
  return `${id}@${version}`;
}

function liveLeases({ leases }: Entry): { count: number; rows: number } {
  const deadBeforeMs = Date.now() - LEASE_LIFE_MS;
  let rows = 0;
  for (const lease of leases) {
    if (lease.sinceMs < deadBeforeMs) leases.delete(lease);
    else rows += lease.rows;
  }
  return { count: leases.size, rows };
}

/** Waits for another request's work, but not for ever: that request may have been ended without a word. */
async function outlive<T>(work: Promise<T>, giveUp: () => void): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | null = null;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      giveUp();
      reject(modelUnavailable(`the load did not end within ${LOAD_LIFE_MS / 1000} s; try again`));
    }, LOAD_LIFE_MS);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(2)} MiB`;
}

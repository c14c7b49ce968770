/**
 * Keeps the pages and what they read at the start, so that they open without a network. The network comes first: nobody
 * sees an old page while there is a new one.
 */
const CACHE = "edge-slm";
const FILES = [
  "/",
  "/models",
  "/dashboard",
  "/style.css",
  "/icon.svg",
  ...[
    "alignment",
    "anchors",
    "answer",
    "api",
    "charts",
    "classify",
    "dashboard",
    "dom",
    "frame",
    "knowledge",
    "language",
    "models",
    "playground",
    "prices",
    "recommend",
    "result",
    "signing",
    "snippets",
    "texts",
    "translate",
    "webhook",
  ].map((name) => `/page/${name}.js`),
];
/** What pages ask for when they open; all else is an answer to a question, and asked anew. */
const DATA = ["/v1/models", "/v1/prices"];

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)));
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  const isOurs = origin === self.location.origin && (FILES.includes(pathname) || DATA.includes(pathname));
  if (request.method !== "GET" || !isOurs) return;
  event.respondWith(networkFirst(request, pathname));
});

async function networkFirst(request, pathname) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(pathname, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(pathname);
    if (kept) return kept;
    throw error;
  }
}

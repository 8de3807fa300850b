/**
 * The rooms of `src`, so that the folder list is the architecture: `npm run test:structure`. Each may import those below it,
 * types included, and none above; ARCHITECTURE.md draws them.
 */
const rooms = [
  "backend|dashboard",
  "memoized",
  "operations|readThrough",
  "entries",
  "stores|outages",
  "keys",
  "values|records",
  "telemetry",
  "runtime"
]

/** Public modules that are words of the whole library: they stand below all rooms. */
const words =
  "CacheError|CacheStore|CacheBackend|CacheBus|CacheEvent|CacheOptions|CachedFunction|CachedManyFunction|ByteStore"

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: "no-circle",
      comment: "Files that need each other are one idea, or hide a third.",
      severity: "error",
      from: {},
      to: { circular: true }
    },
    ...rooms.map((room, level) => ({
      name: `no-arrow-up-from-${room.replace("|", "-")}`,
      comment: "A room knows nothing of what stands on it.",
      severity: "error",
      from: { path: `^src/internal/(${room})/` },
      to: {
        path: [
          ...(level === 0 ? [] : [`^src/internal/(${rooms.slice(0, level).join("|")})/`]),
          `^src/(?!(${words})\\.ts$)[^/]+$`
        ]
      }
    })),
    {
      name: "stores-apart",
      comment: "A store shares with another one what stands in stores/ and stores/sql.",
      severity: "error",
      from: { path: "^src/internal/stores/([^/]+)/" },
      to: { path: "^src/internal/stores/[^/]+/", pathNot: "^src/internal/stores/($1|sql)/" }
    }
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true
  }
}

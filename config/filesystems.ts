/**
 * The disks of your app. Copy this file to `config/filesystems.ts` of your project and keep what you need; Stowage finds it there,
 * or where STOWAGE_CONFIG points. A disk is set up when it is first used, so one whose variables are unset does no harm until then.
 */
import { defineConfig, env } from 'stowage'

export default defineConfig({
  // The disk that `Storage` itself is: Storage.put(…) is Storage.disk('local').put(…).
  default: env('FILESYSTEM_DISK', 'local'),

  disks: {
    // Private files in a folder of this machine. Read them through your app, or through signed URLs that expire.
    local: {
      driver: 'local',
      // Relative to the working directory; made when the first file is written.
      root: 'storage/app/private',
      // Signed URLs: { url: STORAGE_BASE_URL ?? '/storage', secret: STORAGE_URL_SECRET }, answered by createHandler(Storage) of
      // stowage/http. Without the secret, signing is an error; everything else works.
      serve: true,

      // More keys of this driver, with their defaults:
      // permissions: { file: { public: 0o644, private: 0o600 }, dir: { public: 0o755, private: 0o700 } },
      // links: 'skip',       // symbolic links: 'skip', 'error', or 'follow' inside the root
      // durable: false,      // true: a write is done when the disk itself has it (fsync)
    },

    // Files that anybody may fetch: your web server shows this folder at /storage (see `links` below).
    public: {
      driver: 'local',
      root: 'storage/app/public',
      // The base of public URLs: url('a.txt') is '/storage/a.txt'.
      url: '/storage',
      // What files are that are written without a visibility: 'public' or 'private'.
      visibility: 'public',

      // Keys that every disk takes, whatever its driver:
      // prefix: 'tenant-1',      // keep everything below this directory
      // readOnly: false,         // true: refuse what writes
      // retry: false,            // true, a number of attempts, or { attempts: 4, baseDelayMs: 100, maxDelayMs: 5_000 }
      // timeoutMs: 30_000,       // for calls that do not say; default none
      // maxConcurrency: 16,      // calls at once; default no limit
      // urlExpiration: 3600,     // seconds that temporary URLs are good for when the call does not say
    },

    // Lost when the process ends: for tests and scratch files.
    tmp: { driver: 'memory' },
  },

  // Symbolic links to make in your project: where the link goes, and the folder that it shows.
  links: { 'public/storage': 'storage/app/public' },
})

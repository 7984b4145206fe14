/** Compiled against the built package, as a user's file: what `defineConfig` takes and refuses. */
import { configFromEnv, defineConfig, env, loadConfig, type StorageConfig } from 'stowage'

export const config = defineConfig({
  default: env('FILESYSTEM_DISK', 'local'),
  disks: {
    local: { driver: 'local', root: 'storage/app/private', serve: true },
    public: { driver: 'local', root: env('ROOT'), url: '/storage', visibility: 'public', permissions: { file: { public: 0o644 } } },
    s3: { driver: 's3', bucket: env('AWS_BUCKET'), region: env('AWS_DEFAULT_REGION', 'us-east-1'), client: { send: () => 1 } },
    r2: { driver: 'r2', bucket: env('BUCKET'), accountId: env('ACCOUNT'), acl: false },
    vault: { driver: 'encrypted', disk: 's3', key: env('STORAGE_KEY') },
    rotated: { driver: 'encrypted', disk: env('DISK'), keys: { k2: env('K2'), k1: env('K1') }, primary: 'k2', recovery: 'age1x' },
    fast: { driver: 'cached', disk: 's3', store: { driver: 'redis', url: env('REDIS_URL') }, ttl: 3600 },
    assets: { driver: 'cdn', disk: 's3', url: 'https://cdn.example.com', provider: { type: 'bunny', securityKey: env('BUNNY') } },
    ftp: { driver: 'ftp', host: env('HOST'), port: env('PORT'), secure: 'explicit', tls: { rejectUnauthorized: true } },
    tmp: { driver: 'memory', readOnly: env('READ_ONLY'), maxConcurrency: env('LIMIT'), timeoutMs: env('TIMEOUT'), retry: env('RETRY') },
    joined: {
      driver: 'fallback',
      disk: { driver: 'memory', prefix: 'x' },
      fallbacks: ['s3', { driver: 'local', root: 'x' }],
      promote: true,
    },
    both: { driver: 'mirrored', disk: 'local', mirrors: ['s3'], mode: 'background' },
    view: { driver: 'read-only', disk: { driver: 'scoped', disk: 'local', prefix: 'x' } },
    nothing: { driver: 's3', bucket: undefined, prefix: undefined, serve: undefined, retry: undefined, url: undefined },
  },
  links: { 'public/storage': 'storage/app/public' },
})

export const name: keyof typeof config.disks = 'vault'
// @ts-expect-error -- the names are inferred
export const wrongName: keyof typeof config.disks = 'vlt'

export const text: string = env('X', 'fallback')
// @ts-expect-error -- it may be unset
export const maybe: string = env('X')

export const taken: StorageConfig = config
export const fromEnv: StorageConfig = configFromEnv()
export const loaded: Promise<StorageConfig | undefined> = loadConfig()

// @ts-expect-error -- a misspelt driver
defineConfig({ disks: { a: { driver: 'locl', root: 'x' } } })
// @ts-expect-error -- a misspelt key
defineConfig({ disks: { a: { driver: 's3', bucket: 'x', regoin: 'x' }, b: { driver: 'memory' } } })
// @ts-expect-error -- a key of another driver
defineConfig({ disks: { a: { driver: 'memory', root: 'x' } } })
// @ts-expect-error -- a required key that is not there at all
defineConfig({ disks: { a: { driver: 's3' } } })
// @ts-expect-error -- a misspelt key of an inline disk
defineConfig({ disks: { a: { driver: 'scoped', prefix: 'x', disk: { driver: 'local', rot: 'x' } } } })
// @ts-expect-error -- a misspelt key of an option
defineConfig({ disks: { a: { driver: 'memory', serve: { secrt: 'x' } } } })
// @ts-expect-error -- a key of another store
defineConfig({ disks: { a: { driver: 'cached', disk: 'x', store: { driver: 'redis', maxBytes: 1 } } } })
// @ts-expect-error -- a key of another provider
defineConfig({ disks: { a: { driver: 'cdn', disk: 'x', url: 'x', provider: { type: 'bunny', zoneId: 'x' } } } })
// @ts-expect-error -- a word that is none
defineConfig({ disks: { a: { driver: 'memory', visibility: 'pubic' } } })
// @ts-expect-error -- R2 has no ACLs
defineConfig({ disks: { a: { driver: 'r2', bucket: 'x', acl: true } } })
// @ts-expect-error -- `disks`
defineConfig({ disk: { a: { driver: 'memory' } } })
// @ts-expect-error -- a client is an object
defineConfig({ disks: { a: { driver: 's3', bucket: 'x', client: 'x' } } })

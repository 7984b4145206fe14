/** Compiled against the built package, as a user's file: disk names and drivers that the app tells TypeScript about. */
import { type DiskConfig, defineConfig, env, type RegisteredDiskName } from 'stowage'

const config = defineConfig({
  default: env('FILESYSTEM_DISK', 'local'),
  disks: {
    local: { driver: 'local', root: 'storage' },
    box: { driver: 'dropbox', token: env('DROPBOX_TOKEN'), timeoutMs: { connect: 5 }, prefix: 'x' },
  },
})

declare module 'stowage' {
  interface Register {
    config: typeof config
  }
  interface DriverConfigs {
    dropbox: { token: string; timeoutMs?: { connect: number } }
  }
}

export const known: RegisteredDiskName = 'box'
// @ts-expect-error -- no such disk
export const unknown: RegisteredDiskName = 'nope'
// @ts-expect-error -- `tokn` is no key of it
export const misspelt: DiskConfig = { driver: 'dropbox', tokn: 'x' }
// @ts-expect-error -- it has taken `timeoutMs` for itself
export const ownKey: DiskConfig = { driver: 'dropbox', token: 'x', timeoutMs: 5 }
// @ts-expect-error -- no such driver
export const driver: DiskConfig = { driver: 'dropboxx', token: 'x' }

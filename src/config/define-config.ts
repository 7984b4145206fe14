/** The typed door for a configuration: infers the disks' names and checks their keys. It changes nothing and never throws. */
import type { StorageConfig } from './disk-config.ts'
import { rememberUnset } from './env.ts'

/**
 * Returns the configuration as it is, typed by its disk names, and notes which keys `env()` left unset.
 * What TypeScript cannot see is judged by `configure`.
 */
export function defineConfig<const Name extends string>(config: StorageConfig<Name>): StorageConfig<Name> {
  rememberUnset(config)
  return config
}

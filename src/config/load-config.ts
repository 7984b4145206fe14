/** `loadConfig()`: the configuration that an app keeps in a file. What finds and reads it (config-file.ts) is loaded by the first call. */
import type { StorageConfig } from './disk-config.ts'

/**
 * The configuration of the app in this directory; undefined when it has no file for it. Loaded once per process and file.
 * @throws ConfigurationError when the file fails, holds no configuration, or is named by STOWAGE_CONFIG and does not exist
 */
export async function loadConfig(cwd: string = process.cwd()): Promise<StorageConfig | undefined> {
  const { readConfigFile } = await import('./config-file.ts')
  return readConfigFile(cwd)
}

/**
 * The only door to optional packages. A package is loaded at the first operation that needs it, never by an import of Stowage.
 */
import { ConfigurationError } from './errors.ts'

/**
 * Loads an optional package.
 * @throws ConfigurationError that names the package and the command that installs it, when that very package is missing
 */
export async function importPeer<Module>(specifier: string): Promise<Module> {
  try {
    return (await import(specifier)) as Module
  } catch (error) {
    if (!isMissing(error, specifier)) throw error
    const name = packageName(specifier)
    throw new ConfigurationError(`it needs ${name}: npm install ${name}`, { cause: error })
  }
}

/** A package that is there but misses one of its own is not *that* package's absence. */
function isMissing(error: unknown, specifier: string): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false
  if (error.code !== 'ERR_MODULE_NOT_FOUND' && error.code !== 'MODULE_NOT_FOUND') return false
  return error.message.includes(`'${packageName(specifier)}'`)
}

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

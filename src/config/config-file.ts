/**
 * Finds and loads the configuration file of an app. What the file throws is reported with the file's name, never swallowed.
 *
 *   STOWAGE_CONFIG, else config/filesystems.{ts,mts,js,mjs,json}
 *     ├── .json ──▶ read
 *     └── else ───▶ native import, ── cannot read this syntax, or this kind of module ──▶ jiti
 *
 * Node alone cannot load TypeScript before 22.18, enums, ESM syntax in a `.ts` file of a CommonJS project, and imports without an
 * extension or of `./x.js` where `x.ts` is meant. Only then jiti is loaded.
 */
import { readFile, stat } from 'node:fs/promises'
import { findPackageJSON } from 'node:module'
import { basename, extname, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigurationError, isStorageError, quote } from '../errors.ts'
import type { StorageConfig } from './disk-config.ts'
import { isObject } from './kinds.ts'
import { checkShape } from './validate.ts'

const CANDIDATES = ['ts', 'mts', 'js', 'mjs', 'json'].map((extension) => `config/filesystems.${extension}`)

/** Codes of Node's module loader for files that it finds and cannot load, or whose imports it cannot find as they are written. */
const RETRIED_WITH_JITI: ReadonlySet<unknown> = new Set([
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX',
  'ERR_INVALID_TYPESCRIPT_SYNTAX',
  'ERR_NO_TYPESCRIPT',
  'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING',
  'ERR_MODULE_NOT_FOUND',
  'MODULE_NOT_FOUND',
  'ERR_UNSUPPORTED_DIR_IMPORT',
  'ERR_REQUIRE_ESM',
])

/** @throws ConfigurationError when the file fails, holds no configuration, or is named by STOWAGE_CONFIG and does not exist */
export async function readConfigFile(cwd: string): Promise<StorageConfig | undefined> {
  const file = await findConfigFile(cwd)
  if (file === undefined) return undefined
  const shown = quote(relative(cwd, file) || file)
  const config = await load(file, shown)
  checkShape(config, `the default export of ${shown}`)
  return config as StorageConfig
}

async function findConfigFile(cwd: string): Promise<string | undefined> {
  const named = process.env['STOWAGE_CONFIG']
  if (named !== undefined && named !== '') {
    const file = resolve(cwd, named)
    if (await isFile(file)) return file
    throw new ConfigurationError(`STOWAGE_CONFIG names ${quote(named)}, which is not a file below ${quote(cwd)}`)
  }
  for (const candidate of CANDIDATES) {
    const file = resolve(cwd, candidate)
    if (await isFile(file)) return file
  }
  return undefined
}

async function isFile(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile()
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return false
    throw new ConfigurationError(`cannot look for the configuration in ${quote(file)}: ${String(codeOf(error))}`, { cause: error })
  }
}

async function load(file: string, shown: string): Promise<unknown> {
  try {
    if (extname(file) === '.json') return JSON.parse(await readFile(file, 'utf8'))
    return defaultExport(await importFile(file))
  } catch (error) {
    throw new ConfigurationError(`${shown} could not be loaded: ${reasonOf(error)}`, { cause: error })
  }
}

async function importFile(file: string): Promise<unknown> {
  if (await isCommonJsTypeScript(file)) return importWithJiti(file)
  try {
    return await import(pathToFileURL(file).href)
  } catch (error) {
    if (!isLoaderError(error)) throw error
    return importWithJiti(file)
  }
}

/** Node would try, print a warning about the module's type, and fail. */
async function isCommonJsTypeScript(file: string): Promise<boolean> {
  const manifest = extname(file) === '.ts' ? findPackageJSON(pathToFileURL(file)) : undefined
  // Where there is no package.json above, Node gives the path of the file itself.
  if (manifest === undefined || basename(manifest) !== 'package.json') return false
  const content: unknown = JSON.parse(await readFile(manifest, 'utf8'))
  return isObject(content) && content['type'] === 'commonjs'
}

async function importWithJiti(file: string): Promise<unknown> {
  const { createJiti } = await import('jiti')
  // No cache of compiled code: without a node_modules folder it would be in the temporary folder, where others can write.
  return createJiti(pathToFileURL(file).href, { fsCache: false }).import(file)
}

/** The default export of a module of either kind; of compiled CommonJS it is the default of the default. */
function defaultExport(module: unknown): unknown {
  if (!isObject(module)) return module
  const exported = module['default'] ?? module
  const isCompiled = isObject(exported) && exported['disks'] === undefined && isObject(exported['default'])
  return isCompiled ? exported['default'] : exported
}

/** The loader's and our own messages name files and keys; others may quote what they choked on, which may be a secret. */
function reasonOf(error: unknown): string {
  if (!(typeof error === 'object' && error !== null)) return 'it threw something that is no error'
  const { name, message } = error as { name?: unknown; message?: unknown }
  return isStorageError(error) || codeOf(error) !== undefined ? String(message) : `${String(name)}, see the cause of this error`
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}

/** Not `instanceof SyntaxError`: the file may run in another realm. Test runners that load files themselves have the code in the cause. */
function isLoaderError(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || isStorageError(error)) return false
  if (RETRIED_WITH_JITI.has(codeOf(error))) return true
  return ('name' in error && error.name === 'SyntaxError') || ('cause' in error && RETRIED_WITH_JITI.has(codeOf(error.cause)))
}

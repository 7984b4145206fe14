/**
 * The files that `putFile` takes: a File or Blob, bytes, streams, and files of the local machine by path or `file:` URL.
 * A string is always a local path here, never content.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeCrypto } from './builtins.ts'
import { CHUNK_BYTES, type Contents, isBlob, toContent } from './content.ts'
import type { Content } from './driver.ts'
import { FileNotFoundError, InvalidArgumentError, PermissionDeniedError, quote } from './errors.ts'
import { extname } from './path.ts'

/** A string is the path of a local file: never pass a user's input as one. */
export type FileSource = string | URL | Exclude<Contents, string>

export interface FileContent {
  readonly content: Content
  /** The file's own name, where it has one. */
  readonly name: string | undefined
  /** The type that a Blob or File says it has. */
  readonly type: string | undefined
}

/** @throws FileNotFoundError when a local file is missing; InvalidArgumentError for what is not a file */
export async function fileContent(file: FileSource): Promise<FileContent> {
  if (typeof file === 'string') return localFile(file)
  if (file instanceof URL || Object.prototype.toString.call(file) === '[object URL]') return localFile(localPath(file as URL))
  const name = isBlob(file) && 'name' in file && typeof file.name === 'string' ? file.name : undefined
  const type = isBlob(file) && file.type !== '' ? file.type : undefined
  return { content: toContent(file as Contents), name, type }
}

function localPath(url: URL): string {
  if (url.protocol !== 'file:')
    throw new InvalidArgumentError(`only file: URLs are local files, not ${quote(url.protocol)}: fetch it, and pass the body`)
  return fileURLToPath(url)
}

async function localFile(path: string): Promise<FileContent> {
  const facts = await stat(path).catch(failedLocally(path))
  if (!facts.isFile()) throw new InvalidArgumentError(`${quote(path)} is not a file of this machine`)
  const content: Content = {
    size: facts.size,
    replayable: true,
    bytes: undefined,
    stream: () => fileChunks(path),
  }
  return { content, name: basename(path), type: undefined }
}

/** Opened at the first chunk, so that what is never read is never open. */
async function* fileChunks(path: string): AsyncGenerator<Uint8Array, undefined> {
  try {
    yield* createReadStream(path, { highWaterMark: CHUNK_BYTES })
  } catch (error) {
    failedLocally(path)(error)
  }
}

function failedLocally(path: string): (error: unknown) => never {
  return (error) => {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES') throw new PermissionDeniedError(`the local file ${quote(path)} may not be read`, { cause: error })
    if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'ERR_INVALID_ARG_VALUE') throw error
    const reason = `the local file ${quote(path)} does not exist (a string is a local path: pass a Buffer to store text)`
    throw new FileNotFoundError(reason, { cause: error })
  }
}

/** 40 random characters, and the extension of the file's own name where it is plain letters and digits. */
export function randomName(name: string | undefined, random: (size: number) => Buffer = nodeCrypto().randomBytes): string {
  const extension = extname(name ?? '')
  return random(20).toString('hex') + (/^\.[a-z0-9]{1,16}$/.test(extension) ? extension : '')
}

/** One administrative request to the store: its signal, its errors, and the bucket that they are about. The hot path has its own. */
import { isStorageError } from '../../errors.ts'
import type { AskOptions, S3Access } from './access.ts'
import { type S3Cause, translated } from './s3-errors.ts'
import { api, type S3Api } from './sdk.ts'

/** How a command is to be sent: `client.send(command, http)`. */
export interface Http {
  readonly abortSignal?: AbortSignal
}

/** @throws StorageError that says what was done; when aborted, the signal's reason */
export async function ask<Answer>(
  { connection, settings }: S3Access,
  send: (api: S3Api, http: Http) => Promise<Answer>,
  { operation, path, bucket = settings.bucket, signal }: AskOptions,
): Promise<Answer> {
  signal?.throwIfAborted()
  try {
    const opened = await api(connection)
    signal?.throwIfAborted()
    return await send(opened, signal === undefined ? {} : { abortSignal: signal })
  } catch (error) {
    if (signal?.aborted) throw signal.reason
    throw translated(error, bucket).locate({ operation, path, driver: settings.name })
  }
}

/** The store's own code of an error, from its cause. */
export function codeOf(error: unknown): string | undefined {
  return causeOf(error)?.code
}

/** The status of the answer that an error was made from. */
export function statusOf(error: unknown): number | undefined {
  return causeOf(error)?.status
}

function causeOf(error: unknown): Partial<S3Cause> | undefined {
  return isStorageError(error) ? (error.cause as Partial<S3Cause> | undefined) : undefined
}

/** The body of an answer: into a reader, or past it, so that its connection is free again. */
import type { IncomingMessage } from 'node:http'
import { isStorageError } from '../../../errors.ts'
import { type AnswerReader, errorReader, type ErrorBody, isLateFailure, type LateFailure } from './answers.ts'
import { answerFailure, connectionFailure, type Failure, isFailure } from './failure.ts'

/** Error bodies of proxies may be pages, or never end. */
const MAX_ERROR_BYTES = 64 * 1024

/** @throws Failure when it is cut; what the reader throws; the reason that it was destroyed with */
export function readInto<Answer>(answer: IncomingMessage, reader: AnswerReader<Answer>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const attempt = (step: () => void): void => {
      try {
        step()
      } catch (error) {
        // What ends too early, without the connection saying so, is no other thing than a connection that was cut.
        reject(isStorageError(error) && error.retryable ? cut(answer) : error)
        answer.destroy()
      }
    }
    answer.on('data', (chunk: Uint8Array) => attempt(() => reader.write(chunk)))
    answer.on('end', () => attempt(() => resolve(reader.end())))
    answer.on('error', (error: NodeJS.ErrnoException) => reject(error))
    answer.on('close', () => reject(cut(answer)))
  })
}

/** Of the commands whose failure may come after the status: 200, and then an error. */
export async function readResult<Result extends object>(
  answer: IncomingMessage,
  reader: AnswerReader<Result | LateFailure>,
): Promise<Result> {
  const result = await readInto(answer, reader)
  if (!isLateFailure(result)) return result
  // oxlint-disable-next-line only-throw-error -- in the shape that the SDK's errors have; translated before it leaves
  throw answerFailure(statusOf(result.error), answer.headers, result.error)
}

/** What would have been the status, had it not been sent already. */
function statusOf({ code = '' }: ErrorBody): number {
  return code === 'SlowDown' || code === 'ServiceUnavailable' ? 503 : code === 'InternalError' ? 500 : 400
}

/** Lets an answer go by whose body nobody wants. Resolves when it has: a request made then finds the connection free. */
export function drop(answer: IncomingMessage): Promise<void> {
  answer.resume()
  return new Promise((resolve) => {
    answer.on('end', resolve)
    answer.on('close', resolve)
  })
}

/** These mean several things: a key or a bucket that is missing, an upload. Cut, they say nothing. */
const NEED_A_CODE: ReadonlySet<number> = new Set([400, 403, 404, 409])

/** Of an answer that is an error; never rejects: what is cut or no XML says at least its status, where that says enough. */
export function failureOf(answer: IncomingMessage): Promise<Failure> {
  const status = answer.statusCode as number
  const reader = errorReader()
  return new Promise((resolve) => {
    let received = 0
    let isDone = false
    const done = (): void => {
      if (isDone) return
      isDone = true
      const said = reader.end()
      const isCut = !answer.complete && received <= MAX_ERROR_BYTES
      if (isCut && said.code === undefined && NEED_A_CODE.has(status)) resolve(cutOff())
      else resolve(answerFailure(status, answer.headers, said))
    }
    answer.on('data', (chunk: Uint8Array) => {
      reader.write(chunk)
      received += chunk.byteLength
      if (received > MAX_ERROR_BYTES) answer.destroy()
    })
    answer.on('end', done)
    answer.on('close', done)
  })
}

function cut(answer: IncomingMessage): unknown {
  return answer.errored ?? cutOff()
}

function cutOff(): Failure {
  return connectionFailure({ code: 'ECONNRESET', message: 'the answer was cut' }, { isSent: true })
}

/** What a broken connection rejects with, as a failure; anything else as it is. */
export function asFailure(error: unknown): unknown {
  if (isStorageError(error) || typeof error !== 'object' || error === null || isFailure(error)) return error
  return 'code' in error && typeof error.code === 'string' ? connectionFailure(error, { isSent: true }) : error
}

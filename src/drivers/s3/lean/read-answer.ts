/** The body of an answer: into a reader, or past it, so that its connection is free again. */
import { isStorageError } from '../../../errors.ts'
import type { Answer } from './answer.ts'
import { type AnswerReader, errorReader, type ErrorBody, isLateFailure, type LateFailure } from './answers.ts'
import { answerFailure, connectionFailure, type Failure, isFailure } from './failure.ts'

/** Error bodies of proxies may be pages, or never end. */
const MAX_ERROR_BYTES = 64 * 1024

/** @throws Failure when it is cut; what the reader throws; the reason that it was aborted with */
export function readInto<Result>(answer: Answer, reader: AnswerReader<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const attempt = (step: () => void): void => {
      try {
        step()
      } catch (error) {
        // What ends too early, without the connection saying so, is no other thing than a connection that was cut.
        reject(isStorageError(error) && error.retryable ? cutOff() : error)
        answer.destroy()
      }
    }
    answer.read({
      borrows: true,
      data: (piece) => attempt(() => reader.write(piece)),
      end: () => attempt(() => resolve(reader.end())),
      fail: reject,
    })
  })
}

/** Of the commands whose failure may come after the status: 200, and then an error. */
export async function readResult<Result extends object>(answer: Answer, reader: AnswerReader<Result | LateFailure>): Promise<Result> {
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
export function drop(answer: Answer): Promise<void> {
  return new Promise((resolve) => answer.read({ borrows: true, data: () => undefined, end: resolve, fail: () => resolve() }))
}

/** These mean several things: a key or a bucket that is missing, an upload. Cut, they say nothing. */
const NEED_A_CODE: ReadonlySet<number> = new Set([400, 403, 404, 409])

/** Of an answer that is an error; never rejects: what is cut or no XML says at least its status, where that says enough. */
export function failureOf(answer: Answer): Promise<Failure> {
  const { status, headers } = answer
  const reader = errorReader()
  return new Promise((resolve) => {
    let received = 0
    const done = (isCut: boolean): void => {
      const said = reader.end()
      if (isCut && said.code === undefined && NEED_A_CODE.has(status)) resolve(cutOff())
      else resolve(answerFailure(status, headers, said))
    }
    answer.read({
      borrows: true,
      data: (piece) => {
        reader.write(piece)
        received += piece.byteLength
        if (received <= MAX_ERROR_BYTES) return
        answer.destroy()
        done(false)
      },
      end: () => done(false),
      fail: () => done(true),
    })
  })
}

function cutOff(): Failure {
  return connectionFailure({ code: 'ECONNRESET', message: 'the answer was cut' }, { isSent: true })
}

/** What a broken connection rejects with, as a failure; anything else as it is. */
export function asFailure(error: unknown): unknown {
  if (isStorageError(error) || typeof error !== 'object' || error === null || isFailure(error)) return error
  return 'code' in error && typeof error.code === 'string' ? connectionFailure(error, { isSent: true }) : error
}

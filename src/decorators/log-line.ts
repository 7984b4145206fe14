/**
 * What `logged` says of one call, as fields for a structured logger and as a line for a person. It holds no contents, metadata,
 * URLs, messages or causes, and paths are quoted, so that a name cannot fake a line.
 */
import { type ErrorCode, type Operation, quote } from '../errors.ts'

/** What a line says. */
export interface LogFields {
  readonly operation: Operation
  /** The stack that was called: `encrypted(s3)`. */
  readonly driver: string
  /** Absent where a call is for several. */
  readonly path?: string | undefined
  /** The target of a copy or a move. */
  readonly to?: string | undefined
  readonly durationMs: number
  /** Bytes of the file, where the call tells them. */
  readonly size?: number | undefined
  /** Paths of a deletion, entries of a page. */
  readonly count?: number | undefined
  readonly outcome: 'ok' | 'aborted' | ErrorCode
}

/** The shape of a pino logger, and of `console`. */
export interface Logger {
  debug(fields: LogFields, line: string): void
  error(fields: LogFields, line: string): void
}

const ANSWERS: ReadonlySet<string> = new Set(['ok', 'aborted', 'not_found', 'already_exists', 'precondition_failed'])

/** True where the store did its work and said how it is: no reason to look into it. */
export function isAnswer({ outcome }: LogFields): boolean {
  return ANSWERS.has(outcome)
}

export function lineOf({ operation, path, to, outcome, size, count, durationMs }: LogFields): string {
  const place = `${path === undefined ? '' : ` ${quote(path)}`}${to === undefined ? '' : ` to ${quote(to)}`}`
  const amounts = [count !== undefined && `${count} items`, size !== undefined && `${size} bytes`, `${durationMs.toFixed(1)} ms`]
  return `${operation}${place}: ${[outcome, ...amounts.filter(Boolean)].join(', ')}`
}

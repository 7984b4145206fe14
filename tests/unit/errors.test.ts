import { describe, expect, it } from '@jest/globals'
import { createContext, runInContext } from 'node:vm'
import * as errors from '../../src/errors.ts'
import {
  type ErrorCode,
  type ErrorContext,
  FileNotFoundError,
  isNotFound,
  isStorageError,
  PartialFailureError,
  quote,
  RateLimitedError,
  StorageError,
  toStorageError,
  UnavailableError,
} from '../../src/errors.ts'

type Constructor = new (message?: string, context?: ErrorContext) => StorageError

const CLASSES: readonly (readonly [string, ErrorCode])[] = [
  ['StorageError', 'unknown'],
  ['FileNotFoundError', 'not_found'],
  ['FileExistsError', 'already_exists'],
  ['PreconditionFailedError', 'precondition_failed'],
  ['PermissionDeniedError', 'permission_denied'],
  ['UnauthenticatedError', 'unauthenticated'],
  ['InvalidPathError', 'invalid_path'],
  ['InvalidArgumentError', 'invalid_argument'],
  ['UnsupportedError', 'unsupported'],
  ['ReadOnlyError', 'read_only'],
  ['QuotaExceededError', 'quota_exceeded'],
  ['RateLimitedError', 'rate_limited'],
  ['UnavailableError', 'unavailable'],
  ['TimeoutError', 'timeout'],
  ['IntegrityError', 'corrupted'],
  ['KeyNotFoundError', 'key_not_found'],
  ['PartialFailureError', 'partial_failure'],
  ['ConfigurationError', 'configuration'],
  ['StrayDiskError', 'stray_disk'],
]
const classOf = (name: string): Constructor => (errors as unknown as Record<string, Constructor>)[name] as Constructor

describe('error classes', () => {
  it.each(CLASSES)('%s has the code %s, its name, and the base class', (name, code) => {
    const error = new (classOf(name))()
    expect(error.code).toBe(code)
    expect(error.name).toBe(name)
    expect(error).toBeInstanceOf(StorageError)
    expect(error).toBeInstanceOf(Error)
    expect(isStorageError(error)).toBe(true)
    expect(error.stack).toContain(name)
  })

  it('are all in the table', () => {
    const exported = Object.entries(errors).filter(([, value]) => typeof value === 'function' && value.prototype instanceof Error)
    expect(exported.map(([name]) => name).sort()).toEqual(CLASSES.map(([name]) => name).sort())
  })

  it('are retryable for what passes by itself, and only for that', () => {
    const retryable = CLASSES.filter(([name]) => new (classOf(name))().retryable).map(([, code]) => code)
    expect(retryable).toEqual(['rate_limited', 'unavailable', 'timeout'])
    expect(new UnavailableError('', { retryable: false }).retryable).toBe(false)
    expect(new FileNotFoundError('', { retryable: true }).retryable).toBe(true)
  })

  it.each(CLASSES)('%s takes a message and its context', (name) => {
    const cause = new Error('below')
    const error = new (classOf(name))('because', { operation: 'read', path: 'a', disk: 'd', cause })
    expect(error).toMatchObject({ operation: 'read', path: 'a', disk: 'd', cause, message: 'read "a" on disk "d": because' })
  })

  it('have no cause of their own', () => {
    expect('cause' in new FileNotFoundError()).toBe(false)
  })
})

describe('the place of an error', () => {
  it('is written into the message', () => {
    const error = new FileNotFoundError().locate({ operation: 'read', path: 'a/b.txt', disk: 'vault', driver: 'encrypted(s3)' })
    expect(error.message).toBe('read "a/b.txt" on disk "vault": not found (encrypted(s3))')
    expect(String(error)).toBe('FileNotFoundError: read "a/b.txt" on disk "vault": not found (encrypted(s3))')
  })

  it('is filled in on the very object, and what was said stays', () => {
    const error = new FileNotFoundError(undefined, { path: 'inner' })
    expect(error.locate({ operation: 'stat', path: 'outer', disk: 'one' })).toBe(error)
    error.locate({ operation: 'read', path: 'other', disk: 'two', driver: 'memory' })
    expect(error).toMatchObject({ operation: 'stat', path: 'inner', disk: 'one' })
    expect(error.message).toBe('stat "inner" on disk "one": not found (memory)')
  })

  it('is not needed', () => {
    expect(new FileNotFoundError().message).toBe('not found')
    expect(new FileNotFoundError(undefined, { disk: 'a' }).message).toBe('on disk "a": not found')
  })

  it('never breaks the line of a log, however the path is written', () => {
    const { message } = new FileNotFoundError(undefined, { path: 'a\nb\u2028c\u202ed\u0085', operation: 'read' })
    expect(message).not.toMatch(/[\n\u2028\u202e\u0085]/)
    expect(quote('x'.repeat(5_000)).length).toBeLessThan(1_200)
  })
})

describe('what a log gets', () => {
  it('has no cause, so none of its secrets', () => {
    const cause = Object.assign(new Error('403'), { request: { headers: { authorization: 'AWS4 top-secret' } } })
    const error = new UnavailableError(undefined, { operation: 'read', path: 'a', disk: 's3', cause })
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      name: 'UnavailableError',
      code: 'unavailable',
      message: 'read "a" on disk "s3": the store is unavailable',
      operation: 'read',
      path: 'a',
      disk: 's3',
      retryable: true,
    })
    expect(JSON.stringify(error)).not.toContain('top-secret')
  })

  it('has no query or credentials of a URL that a foreign error names', () => {
    const signed = 'https://user:pass@bucket.s3.test/a.txt?X-Amz-Credential=AK&X-Amz-Signature=deadbeef'
    const error = toStorageError(new Error(`fetch of ${signed} failed, see "https://b.test/x?sig=deadbeef".`))
    expect(error.message).not.toMatch(/deadbeef|pass|X-Amz/)
    expect(error.message).toContain('bucket.s3.test/a.txt')
    expect(error.message).toMatch(/failed, see/)
  })
})

describe('foreign errors', () => {
  it('become the cause of an unknown one, with their message', () => {
    const cause = new TypeError('boom')
    expect(toStorageError(cause)).toMatchObject({ code: 'unknown', name: 'StorageError', message: 'boom', cause })
  })

  it.each([
    ['text', 'text'],
    [undefined, 'undefined'],
    [null, 'null'],
    [5, '5'],
    [new Error(''), 'failed'],
    [{ message: 'm' }, 'm'],
  ])('are %p too', (thrown, message) => {
    expect(toStorageError(thrown)).toMatchObject({ code: 'unknown', message })
  })

  it('are left as they are when they are ours', () => {
    const error = new RateLimitedError()
    expect(toStorageError(error, { path: 'a' })).toBe(error)
  })
})

describe('errors of another realm or copy', () => {
  it('are recognised by their brand', () => {
    const realm = createContext({ Symbol })
    const foreign: unknown = runInContext(
      `Object.defineProperty(Object.assign(new Error('x'), { code: 'not_found' }), Symbol.for('stowage.StorageError'), { value: true })`,
      realm,
    )
    expect(foreign).not.toBeInstanceOf(StorageError)
    expect(isStorageError(foreign)).toBe(true)
    expect(isNotFound(foreign)).toBe(true)
  })

  it.each([undefined, null, 'x', 1, {}, new Error('not_found'), Object.assign(new Error(), { code: 'not_found' })])(
    'are not %p',
    (value) => {
      expect(isStorageError(value)).toBe(false)
      expect(isNotFound(value)).toBe(false)
    },
  )
})

describe('partial failures', () => {
  const failed = (error: StorageError): { path: string; error: StorageError } => ({ path: 'a', error })

  it('name how many failed and the first reason', () => {
    const error = new PartialFailureError(undefined, {
      failures: [failed(new FileNotFoundError(undefined, { path: 'a' })), failed(new RateLimitedError())],
      disk: 'd',
    })
    expect(error.failures).toHaveLength(2)
    expect(error.message).toContain('2 paths failed')
    expect(error.retryable).toBe(false)
  })

  it('are retryable when each of them is, also when retryable is passed as undefined', () => {
    const failures = [failed(new RateLimitedError()), failed(new UnavailableError())]
    expect(new PartialFailureError(undefined, { failures }).retryable).toBe(true)
    expect(new PartialFailureError(undefined, { failures, retryable: undefined }).retryable).toBe(true)
    expect(new PartialFailureError(undefined, { failures, retryable: false }).retryable).toBe(false)
    expect(new PartialFailureError().retryable).toBe(false)
  })
})

import { beforeEach, describe, expect, it, jest } from '@jest/globals'
import { toContent } from '../../../src/content.ts'
import type { LogFields } from '../../../src/decorators/log-line.ts'
import { logged, type LoggedOptions } from '../../../src/decorators/logged.ts'
import type { Driver } from '../../../src/driver.ts'
import { PermissionDeniedError, UnavailableError } from '../../../src/errors.ts'
import { faulty } from '../../../src/testing/faulty.ts'
import { type RecordedDriver, recorded } from '../../support/recorded.ts'

interface Entry {
  readonly severity: 'debug' | 'error'
  readonly fields: LogFields
  readonly line: string
}

const expiresAt = new Date('2030-01-01')
let store: RecordedDriver
let entries: Entry[]

beforeEach(async () => {
  store = recorded()
  entries = []
  await store.memory.write('a', toContent('hello'), {})
})

function noting(inner: Driver, options: LoggedOptions = {}): Driver {
  let clock = 0
  const logger = {
    debug: (fields: LogFields, line: string) => void entries.push({ severity: 'debug', fields, line }),
    error: (fields: LogFields, line: string) => void entries.push({ severity: 'error', fields, line }),
  }
  return logged({ logger, now: () => (clock += 2.5), ...options })(inner)
}

const CALLS: readonly (readonly [string, (driver: Driver) => Promise<unknown> | undefined, Partial<LogFields>])[] = [
  ['stat', (driver) => driver.stat('a', {}), { operation: 'stat', path: 'a', size: 5 }],
  ['read', (driver) => driver.read('a', { range: { start: 1 } }), { operation: 'read', path: 'a', size: 5 }],
  ['write', (driver) => driver.write('b', toContent('abc'), {}), { operation: 'write', path: 'b', size: 3 }],
  ['delete', (driver) => driver.delete(['a'], {}), { operation: 'delete', path: 'a' }],
  ['delete of several', (driver) => driver.delete(['a', 'b'], {}), { operation: 'delete', count: 2 }],
  ['list', (driver) => driver.list('', {}), { operation: 'list', path: '', count: 1 }],
  ['copy', (driver) => driver.copy('a', 'c', {}), { operation: 'copy', path: 'a', to: 'c' }],
  ['move', (driver) => driver.move('a', 'c', {}), { operation: 'move', path: 'a', to: 'c' }],
  ['append', (driver) => driver.append?.('a', toContent('bc'), {}), { operation: 'append', path: 'a', size: 2 }],
  ['publicUrl', (driver) => driver.publicUrl?.('a'), { operation: 'publicUrl', path: 'a' }],
  ['signUrl', (driver) => driver.signUrl?.('a', { method: 'GET', expiresAt }), { operation: 'signUrl', path: 'a' }],
  ['visibility', (driver) => driver.visibility?.get('a', {}), { operation: 'visibility', path: 'a' }],
  ['setVisibility', (driver) => driver.visibility?.set('a', 'public', {}), { operation: 'setVisibility', path: 'a' }],
  ['directory exists', (driver) => driver.directories?.exists('d', {}), { operation: 'stat', path: 'd' }],
  ['makeDirectory', (driver) => driver.directories?.create('d', {}), { operation: 'makeDirectory', path: 'd' }],
  ['deleteDirectory', (driver) => driver.directories?.delete('', {}), { operation: 'deleteDirectory', path: '', count: 1 }],
  ['multipart.create', (driver) => driver.multipart?.create('m', {}), { operation: 'multipart', path: 'm' }],
  ['multipart.abort', (driver) => driver.multipart?.abort('m', 'x', {}), { operation: 'multipart', path: 'm' }],
]

describe('logged', () => {
  it.each(CALLS)('says in one line what %s did', async (_name, call, fields) => {
    await call(noting(store))
    expect(entries).toEqual([
      { severity: 'debug', line: expect.any(String) as unknown, fields: { driver: 'recorded', outcome: 'ok', durationMs: 2.5, ...fields } },
    ])
    expect(entries[0]?.line).toMatch(/^[^\n]+$/)
  })

  it.each(CALLS)('says in one line how %s failed, and the error passes', async (_name, call, { operation }) => {
    const error = new PermissionDeniedError('secret reason', { cause: new Error('secret cause') })
    await expect(call(noting(faulty(store, { error: () => error })))).rejects.toBe(error)
    expect(entries).toMatchObject([{ severity: 'error', fields: { operation, outcome: 'permission_denied' } }])
    expect(JSON.stringify(entries)).not.toContain('secret')
  })

  it('logs each part of a multipart upload', async () => {
    const disk = noting(store)
    const upload = (await disk.multipart?.create('m', {})) ?? ''
    const part = await disk.multipart?.part('m', upload, 1, toContent('m'), {})
    expect(await disk.multipart?.list('m', upload, {})).toEqual([part])
    await disk.multipart?.complete('m', upload, part ? [part] : [], {})
    expect(entries.map(({ fields }) => fields.operation)).toEqual(Array(4).fill('multipart'))
  })

  it('writes lines for people', async () => {
    const disk = noting(store)
    await disk.write('b.txt', toContent('hello world!'), {})
    await disk.copy('a', 'line\u2028break', {})
    await disk.list('', {})
    expect(entries.map(({ line }) => line)).toEqual([
      'write "b.txt": ok, 12 bytes, 2.5 ms',
      'copy "a" to "line\\u2028break": ok, 2.5 ms',
      'list "": ok, 3 items, 2.5 ms',
    ])
  })

  it.each([
    ['a missing file', (driver: Driver) => driver.stat('nope', {}), 'not_found'],
    ['a lost ifAbsent', (driver: Driver) => driver.write('a', toContent('x'), { ifAbsent: true }), 'already_exists'],
    ['a lost ifMatch', (driver: Driver) => driver.write('a', toContent('x'), { ifMatch: '"x"' }), 'precondition_failed'],
    ['an abort', (driver: Driver) => driver.stat('a', { signal: AbortSignal.abort() }), 'aborted'],
  ])('takes %s for an answer, not for a failure of the disk', async (_name, call, outcome) => {
    await expect(call(noting(store))).rejects.toThrow()
    expect(entries).toMatchObject([{ severity: 'debug', fields: { outcome } }])
  })

  it('calls an error that is not ours unknown', async () => {
    await expect(noting(faulty(store, { error: new TypeError('secret') })).stat('a', {})).rejects.toThrow(TypeError)
    expect(entries).toMatchObject([{ severity: 'error', fields: { outcome: 'unknown' } }])
  })

  it('tells a deletion that failed in part', async () => {
    const failures = ['a', 'b'].map((path) => ({ path, error: new UnavailableError() }))
    await noting({ ...store, delete: async () => failures }).delete(['a', 'b', 'c'], {})
    await noting({ ...store, delete: async () => failures.slice(0, 1) }).delete(['a'], {})
    expect(entries).toMatchObject([
      { severity: 'error', fields: { outcome: 'partial_failure', count: 3 } },
      { severity: 'error', fields: { outcome: 'unavailable', path: 'a' } },
    ])
  })

  it('never logs contents, metadata or URLs', async () => {
    const disk = noting(store)
    await disk.write('b', toContent('topsecret'), { metadata: { owner: 'topsecret' }, tags: { owner: 'topsecret' } })
    await disk.stat('b', {})
    await disk.signUrl?.('b', { method: 'GET', expiresAt })
    await disk.publicUrl?.('b')
    expect(entries.length).toBe(4)
    expect(JSON.stringify(entries)).not.toMatch(/topsecret|https/)
  })

  it('logs failures only, at level error', async () => {
    const disk = noting(faulty(store, { every: 2 }), { level: 'error' })
    await disk.stat('a', {})
    await expect(disk.stat('a', {})).rejects.toMatchObject({ code: 'unavailable' })
    expect(entries.map(({ severity }) => severity)).toEqual(['error'])
  })

  it('writes to the console without more ado, the line alone', async () => {
    const debug = jest.spyOn(console, 'debug').mockImplementation(() => undefined)
    const error = jest.spyOn(console, 'error').mockImplementation(() => undefined)
    try {
      await logged()(store).stat('a', {})
      await logged({ logger: console, now: () => 0 })(store).stat('a', {})
      await expect(logged({ now: () => 0 })(faulty(store)).stat('a', {})).rejects.toMatchObject({ code: 'unavailable' })
      expect(debug.mock.calls).toEqual([[expect.stringMatching(/^stat "a": ok, 5 bytes, [\d.]+ ms$/)], ['stat "a": ok, 5 bytes, 0.0 ms']])
      expect(error.mock.calls).toEqual([['stat "a": unavailable, 0.0 ms']])
    } finally {
      debug.mockRestore()
      error.mockRestore()
    }
  })

  it('does not let a logger that throws decide how a call ends', async () => {
    const logger = {
      debug: () => {
        throw new Error('disk full')
      },
      error: () => {
        throw new Error('disk full')
      },
    }
    expect((await logged({ logger })(store).stat('a', {})).size).toBe(5)
    await expect(logged({ logger })(faulty(store)).stat('a', {})).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('has the abilities of what it wraps, and says what it is', async () => {
    const poor = noting({
      ...store,
      append: undefined,
      visibility: undefined,
      directories: undefined,
      multipart: undefined,
      publicUrl: undefined,
      signUrl: undefined,
    })
    expect([poor.append, poor.visibility, poor.directories, poor.multipart, poor.publicUrl, poor.signUrl]).toEqual(Array(6).fill(undefined))
    const disk = noting(store)
    expect(disk).toMatchObject({ kind: 'logged', name: 'logged(recorded)', supports: store.supports })
    expect(disk.locate('a')).toEqual(store.locate('a'))
    await disk.close()
    expect(store.calls).toEqual([])
  })
})

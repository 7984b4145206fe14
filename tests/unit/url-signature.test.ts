import { describe, expect, it } from '@jest/globals'
import { type Grant, type SignedTarget, type SigningSecret, signingKeys, signQuery, verifyQuery } from '../../src/url-signature.ts'

const SECRET = 'a secret of enough length'
const OTHER = 'another secret of enough length'
const expiresAt = new Date('2030-01-01T00:00:00Z')
const before = new Date('2029-12-31T23:59:59.999Z')
const target: SignedTarget = { disk: 'local', method: 'GET', path: 'a/b.txt' }

function sign(over: Partial<SignedTarget> = {}, grant: Grant = {}, secret: SigningSecret = SECRET): string {
  return signQuery({ ...target, ...over }, grant, { keys: signingKeys(secret), expiresAt })
}

function verify(query: string, over: Partial<SignedTarget> = {}, secret: SigningSecret = SECRET, now = before): Grant | undefined {
  return verifyQuery({ ...target, ...over }, new URLSearchParams(query), { keys: signingKeys(secret), now })
}

describe('a signature', () => {
  it('verifies what it was made for, and gives back what was signed', () => {
    expect(verify(sign())).toEqual({})
    const download = { contentType: 'text/plain', contentDisposition: 'attachment; filename="a b&c=d.txt"' }
    expect(verify(sign({}, download))).toEqual(download)
    const upload = { contentType: 'image/png', maxSize: 10, minSize: 0, metadata: { owner: 'Ä & é', 'x=y': '' } }
    expect(verify(sign({ method: 'PUT' }, upload), { method: 'PUT' })).toEqual(upload)
  })

  it('holds until its whole second has come, and not then', () => {
    expect(verify(sign(), {}, SECRET, before)).toBeDefined()
    expect(verify(sign(), {}, SECRET, expiresAt)).toBeUndefined()
    const query = signQuery(target, {}, { keys: signingKeys(SECRET), expiresAt: new Date(expiresAt.getTime() - 500) })
    expect(verify(query, {}, SECRET, before)).toBeDefined()
    expect(query).toContain(`expires=${expiresAt.getTime() / 1_000}&`)
  })

  it.each<[string, Partial<SignedTarget>]>([
    ['another disk', { disk: 'public' }],
    ['another path', { path: 'a/c.txt' }],
    ['a path that only begins the same', { path: 'a/b.txtx' }],
    ['PUT', { method: 'PUT' }],
    ['fields that moved into one another', { disk: 'local/a', path: 'b.txt' }],
  ])('does not verify for %s', (_, over) => {
    expect(verify(sign(), over)).toBeUndefined()
  })

  it('of a GET answers HEAD; of a HEAD or a PUT only itself', () => {
    expect(verify(sign({ method: 'GET' }), { method: 'HEAD' })).toBeDefined()
    expect(verify(sign({ method: 'HEAD' }), { method: 'HEAD' })).toBeDefined()
    expect(verify(sign({ method: 'HEAD' }), { method: 'GET' })).toBeUndefined()
    expect(verify(sign({ method: 'PUT' }), { method: 'GET' })).toBeUndefined()
    expect(verify(sign({ method: 'PUT' }), { method: 'HEAD' })).toBeUndefined()
  })

  it('is broken by every change of any one character', () => {
    const query = sign({ method: 'PUT' }, { contentType: 'a/b', maxSize: 5, metadata: { k: 'v' } }, { k1: SECRET, k2: OTHER })
    const check = (text: string): Grant | undefined => verify(text, { method: 'PUT' }, { k1: SECRET, k2: OTHER })
    expect(check(query)).toBeDefined()
    for (let i = 0; i < query.length; i++) {
      const other = query[i] === 'A' ? 'B' : 'A'
      // A percent-encoded letter in the other case is the same query.
      if (/%.?$/.test(query.slice(0, i)) && query[i]?.toUpperCase() === other) continue
      expect([i, check(query.slice(0, i) + other + query.slice(i + 1))]).toEqual([i, undefined])
      expect([i, check(query.slice(0, i) + query.slice(i + 1))]).toEqual([i, undefined])
    }
  })

  it.each(['x=1', 'expires=1893456000', 'signature=x', 'max-size=9', 'meta-a=b', '__proto__=1', '='])(
    'is broken by a further parameter: %s',
    (extra) => {
      expect(verify(`${sign()}&${extra}`)).toBeUndefined()
      expect(verify(`${extra}&${sign()}`)).toBeUndefined()
    },
  )

  it('is broken by leaving a parameter out or repeating one, whatever the order', () => {
    const parts = sign({}, { contentType: 'text/plain' }).split('&')
    expect(verify(parts.toReversed().join('&'))).toBeDefined()
    for (const part of parts) {
      expect([part, verify(parts.filter((other) => other !== part).join('&'))]).toEqual([part, undefined])
      expect([part, verify([...parts, part].join('&'))]).toEqual([part, undefined])
    }
  })

  it('does not extend its life by another spelling of the expiry', () => {
    for (const expires of ['9999999999', '1e99', '-1', '0x7fffffff', ' 1893456000', 'Infinity', '']) {
      expect(verify(sign().replace(/expires=\d+/, `expires=${encodeURIComponent(expires)}`))).toBeUndefined()
    }
  })

  it('keeps a metadata name from posing as a parameter', () => {
    const grant = { metadata: { 'max-size': '1', __proto__x: '2' } }
    expect(verify(sign({ method: 'PUT' }, grant), { method: 'PUT' })).toEqual(grant)
  })
})

describe('rotating secrets', () => {
  it('signs with the first and verifies with all', () => {
    const old = sign({}, {}, { k1: SECRET })
    expect(sign({}, {}, { k2: OTHER, k1: SECRET })).toContain('key=k2')
    expect(verify(old, {}, { k2: OTHER, k1: SECRET })).toBeDefined()
    expect(verify(old, {}, { k2: OTHER })).toBeUndefined()
    expect(verify(old, {}, { k1: OTHER })).toBeUndefined()
  })

  it('takes a secret that got a name, or lost it', () => {
    expect(verify(sign({}, {}, SECRET), {}, { k2: OTHER, k1: SECRET })).toBeDefined()
    expect(verify(sign({}, {}, { k1: SECRET }), {}, SECRET)).toBeDefined()
  })
})

describe('a secret', () => {
  it.each<[string, SigningSecret | undefined]>([
    ['none', undefined],
    ['an empty one', ''],
    ['no key', {}],
    ['an empty one among others', { k1: SECRET, k2: '' }],
    ['an empty id', { '': SECRET }],
    ['ids whose order JavaScript changes', { 2: SECRET, 1: OTHER }],
  ])('is refused: %s', (_, secret) => {
    expect(() => signingKeys(secret)).toThrow(expect.objectContaining({ code: 'configuration' }))
  })

  it('is named by what has to be set, and never printed', () => {
    expect(() => signingKeys(undefined)).toThrow(/STORAGE_URL_SECRET.*serve: \{ secret \}/)
    expect(() => signingKeys({ '': 'hunter2' })).toThrow(expect.objectContaining({ message: expect.not.stringContaining('hunter2') }))
  })
})

describe('values', () => {
  it.each<[string, Grant]>([
    ['a line break in the type', { contentType: 'text/plain\r\nx: y' }],
    ['a name beyond Latin-1 in a header', { contentDisposition: 'attachment; filename="公司"' }],
    ['a control character in metadata', { metadata: { a: 'b\n' } }],
    ['a control character in the name of metadata', { metadata: { 'a\n': 'b' } }],
    ['a lone surrogate', { metadata: { a: '\ud800' } }],
    ['a negative size', { maxSize: -1 }],
    ['a broken size', { minSize: 1.5 }],
  ])('are refused when no header can carry them: %s', (_, grant) => {
    const method = grant.contentDisposition === undefined ? 'PUT' : 'GET'
    expect(() => sign({ method }, grant)).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
  })

  it('need a date to expire at', () => {
    const context = { keys: signingKeys(SECRET), expiresAt: new Date(Number.NaN) }
    expect(() => signQuery(target, {}, context)).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
  })
})

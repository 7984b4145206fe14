import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { defineConfig } from '../../../src/config/define-config.ts'
import type { DiskConfig } from '../../../src/config/disk-config.ts'
import { env, rememberNames, rememberUnset, unsetNames } from '../../../src/config/env.ts'

const before = { ...process.env }

beforeEach(() => {
  process.env['SET_HERE'] = 'value'
  process.env['EMPTY_HERE'] = ''
  rememberUnset({}) // takes what other tests left
})

afterEach(() => {
  process.env = { ...before }
})

describe('env', () => {
  it.each([
    ['SET_HERE', undefined, 'value'],
    ['SET_HERE', 'fallback', 'value'],
    ['EMPTY_HERE', undefined, undefined],
    ['EMPTY_HERE', 'fallback', 'fallback'],
    ['UNSET_HERE', undefined, undefined],
    ['UNSET_HERE', 'fallback', 'fallback'],
    ['UNSET_HERE', '', ''],
  ])('env(%j, %j) is %j', (name, fallback, expected) => {
    expect(env(name, fallback)).toBe(expected)
  })
})

describe('the names that were unset', () => {
  it('belong to the keys that asked for them, in the order of the literal', () => {
    const config = defineConfig({
      default: env('A_DEFAULT', 'one'),
      disks: {
        one: { driver: 's3', bucket: env('A_BUCKET'), region: env('A_REGION', 'eu'), key: env('A_KEY') },
        two: { driver: 'cached', disk: 'one', store: { driver: 'redis', url: env('A_REDIS') }, ttl: env('A_TTL') },
        three: { driver: 'fallback', disk: 'one', fallbacks: [{ driver: 'local', root: env('A_ROOT') }] },
      },
    })
    const { one, two, three } = config.disks as unknown as Record<'one' | 'two' | 'three', Record<string, object>>
    expect(unsetNames(one, 'bucket')).toEqual(['A_BUCKET'])
    expect(unsetNames(one, 'key')).toEqual(['A_KEY'])
    expect(unsetNames(one, 'region')).toEqual([])
    expect(unsetNames(two['store'] as object, 'url')).toEqual(['A_REDIS'])
    expect(unsetNames(two, 'ttl')).toEqual(['A_TTL'])
    expect(unsetNames((three['fallbacks'] as DiskConfig[])[0] as object, 'root')).toEqual(['A_ROOT'])
  })

  it('are all told where keys and names do not match', () => {
    const shared = env('B_SHARED')
    const disk: DiskConfig = { driver: 's3', bucket: shared, region: shared, key: env('B_KEY') }
    defineConfig({ disks: { disk } })
    expect(unsetNames(disk, 'bucket')).toEqual(['B_SHARED', 'B_KEY'])
  })

  it('are taken by the configuration that came first', () => {
    const first: DiskConfig = { driver: 's3', bucket: env('C_FIRST') }
    defineConfig({ disks: { first } })
    const second: DiskConfig = { driver: 's3', bucket: env('C_SECOND') }
    defineConfig({ disks: { second } })
    expect(unsetNames(first, 'bucket')).toEqual(['C_FIRST'])
    expect(unsetNames(second, 'bucket')).toEqual(['C_SECOND'])
  })

  it('stay as they are when the same configuration is seen again', () => {
    const disk: DiskConfig = { driver: 's3', bucket: env('D_BUCKET') }
    const config = defineConfig({ disks: { disk } })
    env('D_ELSEWHERE')
    rememberUnset(config)
    expect(unsetNames(disk, 'bucket')).toEqual(['D_BUCKET'])
  })

  it('do not look into clients, and survive objects that hold themselves', () => {
    class Client {
      region = undefined
    }
    const disk: { driver: string; client: Client; bucket: string | undefined; self?: unknown } = {
      driver: 's3',
      client: new Client(),
      bucket: env('E_BUCKET'),
    }
    disk.self = disk
    rememberUnset({ disks: { disk } })
    expect(unsetNames(disk, 'bucket')).toEqual(['E_BUCKET'])
  })

  it('can be told for a key', () => {
    const disk = {}
    rememberNames(disk, 'bucket', ['ONE', 'OTHER'])
    expect(unsetNames(disk, 'bucket')).toEqual(['ONE', 'OTHER'])
    expect(unsetNames(disk, 'region')).toEqual([])
  })

  it.each([undefined, null, 'text', 1])('ignores %j, which is no configuration', (value) => {
    expect(() => rememberUnset(value)).not.toThrow()
    expect(defineConfig(value as never)).toBe(value)
  })
})

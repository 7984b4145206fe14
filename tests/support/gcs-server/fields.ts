/** The `fields` parameter: a partial response, such as `items(name,metadata/owner),nextPageToken`. */
import { invalid } from './errors.ts'
import type { Json } from './model.ts'

/** Names to keep, each with what to keep of it; an empty one keeps everything. */
interface Mask {
  readonly [name: string]: Mask
}

/** @throws 400 for a mask that cannot be read */
export function selectFields(resource: Json, fields: string): Json {
  if (fields.trim() === '*' || fields.trim() === '') return resource
  return select(resource, parse(fields)) as Json
}

function select(value: unknown, mask: Mask): unknown {
  if (Object.keys(mask).length === 0 || '*' in mask) return value
  if (Array.isArray(value)) return value.map((item) => select(item, mask))
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([name]) => name in mask)
  return Object.fromEntries(kept.map(([name, inner]) => [name, select(inner, mask[name] ?? {})]))
}

function parse(fields: string): Mask {
  const tokens = fields.match(/[(),/]|[^(),/\s]+/g) ?? []
  let at = 0
  const list = (): Mask => {
    const mask: Record<string, Mask> = {}
    do {
      const name = tokens[at++] ?? ''
      if (name === '' || /^[(),/]$/.test(name)) throw invalid(`Invalid field selection ${fields}`)
      mask[name] = inner()
    } while (tokens[at] === ',' && at++ >= 0)
    return mask
  }
  const inner = (): Mask => {
    if (tokens[at] === '/') {
      at++
      const name = tokens[at++] ?? ''
      return { [name]: inner() }
    }
    if (tokens[at] !== '(') return {}
    at++
    const mask = list()
    if (tokens[at++] !== ')') throw invalid(`Invalid field selection ${fields}`)
    return mask
  }
  const mask = list()
  if (at < tokens.length) throw invalid(`Invalid field selection ${fields}`)
  return mask
}

/** Google's description of the JSON API, as `@googleapis/storage` has it: the types in its `.d.ts`, the addresses in its code. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { isNode, parseSource, type SyntaxNode, walk } from '../../support/source-tree.ts'

const PACKAGE = join(dirname(createRequire(import.meta.url).resolve('@googleapis/storage/package.json')), 'build')
const INTERFACES = readInterfaces(readFileSync(join(PACKAGE, 'v1.d.ts'), 'utf8'))
const CODE = readFileSync(join(PACKAGE, 'v1.js'), 'utf8')

/** `storage.objects.get` is `Objects$Get` there. */
function nameOf(id: string): string {
  const parts = id.split('.').slice(1)
  return parts.map((part) => part.charAt(0).toUpperCase() + part.slice(1).toLowerCase()).join('$')
}

/** The parameters of a method, but for its body. Undefined for methods that Google does not have. */
export function parametersOf(id: string): readonly string[] | undefined {
  const members = INTERFACES.get(`Params$Resource$${nameOf(id)}`)
  return members && [...members.keys()].filter((name) => !['requestBody', 'media', 'resource'].includes(name)).toSorted()
}

/** Verb and path of a method, with `{}` for each name in it. */
export function addressOf(id: string): { readonly method: string; readonly path: string } | undefined {
  const parts = nameOf(id).split('$')
  const method = id.split('.').at(-1)
  const start = CODE.indexOf(`class Resource$${parts.slice(0, -1).join('$')} {`)
  const end = CODE.indexOf('\n    }\n', start)
  const code = CODE.slice(start, end)
  const body = code.slice(code.indexOf(`\n        ${method}(params`))
  const [, path, verb] = /url: \(rootUrl \+\s*'\/storage\/v1\/([^']+)'\)[\s\S]*?method: '([A-Z]+)'/.exec(body) ?? []
  return path === undefined || verb === undefined ? undefined : { method: verb, path: path.replace(/\{\w+\}/g, '{}') }
}

/** What a JSON value has that its schema does not: `acl[0].colour`, or `size is a number`. */
export function strangers(value: unknown, schema: string): readonly string[] {
  const members = INTERFACES.get(`Schema$${schema}`)
  if (members === undefined) throw new Error(`there is no schema ${schema}`)
  return ofRecord(value, { members, place: '' })
}

interface Members {
  readonly members: ReadonlyMap<string, SyntaxNode>
  readonly place: string
}

function ofRecord(value: unknown, { members, place }: Members): readonly string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${place} is no object`]
  return Object.entries(value).flatMap(([name, inner]) => {
    const type = members.get(name)
    return type === undefined ? [`${place}${name}`] : ofType(inner, type, `${place}${name}`)
  })
}

function ofType(value: unknown, type: SyntaxNode, place: string): readonly string[] {
  switch (type.type) {
    case 'TSUnionType': {
      const kinds = (type['types'] as readonly SyntaxNode[]).filter((each) => each.type !== 'TSNullKeyword')
      return ofType(value, kinds[0] as SyntaxNode, place)
    }
    case 'TSStringKeyword':
      return typeof value === 'string' ? [] : [`${place} is a ${typeof value}`]
    case 'TSNumberKeyword':
      return typeof value === 'number' ? [] : [`${place} is a ${typeof value}`]
    case 'TSBooleanKeyword':
      return typeof value === 'boolean' ? [] : [`${place} is a ${typeof value}`]
    case 'TSArrayType':
      return ofArray(value, type['elementType'] as SyntaxNode, place)
    case 'TSTypeLiteral':
      return ofLiteral(value, type['members'] as readonly SyntaxNode[], place)
    case 'TSTypeReference':
      return ofReference(value, type, place)
    default:
      throw new Error(`${place}: ${type.type} is not known`)
  }
}

function ofArray(value: unknown, element: SyntaxNode, place: string): readonly string[] {
  return Array.isArray(value) ? value.flatMap((item, at) => ofType(item, element, `${place}[${at}]`)) : [`${place} is no list`]
}

function ofReference(value: unknown, type: SyntaxNode, place: string): readonly string[] {
  const name = String((type['typeName'] as SyntaxNode)['name'])
  if (name === 'Array')
    return ofArray(value, ((type['typeArguments'] as SyntaxNode)['params'] as readonly SyntaxNode[])[0] as SyntaxNode, place)
  const members = INTERFACES.get(name)
  if (members === undefined) throw new Error(`${place}: there is no type ${name}`)
  return ofRecord(value, { members, place: `${place}.` })
}

/** An object with names of its own, or with any names: `{ [key: string]: string }`. */
function ofLiteral(value: unknown, members: readonly SyntaxNode[], place: string): readonly string[] {
  const any = members.find((member) => member.type === 'TSIndexSignature')
  if (any === undefined) return ofRecord(value, { members: membersOf(members), place: `${place}.` })
  const type = (any['typeAnnotation'] as SyntaxNode)['typeAnnotation'] as SyntaxNode
  return Object.entries(value as object).flatMap(([name, inner]) => ofType(inner, type, `${place}.${name}`))
}

function readInterfaces(text: string): ReadonlyMap<string, ReadonlyMap<string, SyntaxNode>> {
  const found = new Map<string, ReadonlyMap<string, SyntaxNode>>()
  walk(parseSource('v1.d.ts', text).program, (node) => {
    if (node.type !== 'TSInterfaceDeclaration' || !isNode(node['id']) || !isNode(node['body'])) return
    found.set(String(node['id']['name']), membersOf(node['body']['body'] as readonly SyntaxNode[]))
  })
  return found
}

function membersOf(nodes: readonly SyntaxNode[]): ReadonlyMap<string, SyntaxNode> {
  const properties = nodes.filter((node) => node.type === 'TSPropertySignature')
  return new Map(
    properties.map((node) => {
      const key = node['key'] as SyntaxNode
      return [String(key['name'] ?? key['value']), (node['typeAnnotation'] as SyntaxNode)['typeAnnotation'] as SyntaxNode]
    }),
  )
}

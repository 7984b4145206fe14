/** What the sources must not hold, and what each has to begin with. Judged on the syntax tree, not on text. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { isNode, nodesOf, parseSource, placeOf, ROOT, type SourceFile, sourceFiles, type SyntaxNode, walk } from '../support/source-tree.ts'

const files = sourceFiles()
const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { exports: Readonly<Record<string, unknown>> }
const ENTRIES = Object.values(exports).map((target) => {
  const { default: file = '' } = target as { readonly default?: string }
  return file.replace(/^\.\/dist\/(.*)\.js$/, '$1.ts')
})
const EACH = files.map((file) => [file.path, file] as const)

/** Parsed as `src/example.ts`, or as another file. */
function example(text: string, path = 'example.ts'): SourceFile {
  return parseSource(path, `/** An example. */\n${text}\n`)
}

describe('every source file', () => {
  it.each(EACH)('opens with the promise it keeps: %s', (_path, file) => {
    expect(opening(file)).toMatch(/\w{2,} .*\w{2,}/s)
  })

  it.each(EACH)('has no `any`, no enum, no parameter properties, no `using`: %s', (_path, file) => {
    expect(refused(file)).toEqual([])
  })

  it.each(EACH)('has no default export: %s', (_path, file) => {
    expect(defaultExports(file)).toEqual([])
  })

  it.each(EACH)('can be required, because it awaits nothing while it loads: %s', (_path, file) => {
    expect(topLevelAwaits(file)).toEqual([])
  })

  it('re-exports nothing, but for the entries of the package', () => {
    const barrels = files.filter((file) => reexports(file).length > 0).map(({ path }) => path)
    expect(barrels.filter((path) => !ENTRIES.includes(path))).toEqual([])
    expect(barrels).toContain('index.ts')
  })
})

describe('decorators and fakes', () => {
  const wrappers = files.filter(({ path }) => path.startsWith('decorators/') || /^testing\/(faulty|recorded|fake-)/.test(path))

  it.each(wrappers.map((file) => [file.path, file] as const))('list what they return, and inherit nothing: %s', (_path, file) => {
    expect(forwarders(file)).toEqual([])
  })
})

describe('these rules', () => {
  it.each([
    [`const a: any = 1`],
    [`const a = b as any`],
    [`function f(a: any[]): void {}`],
    [`enum A { B }`],
    [`class A { constructor(private b: string) {} }`],
    [`using a = b`],
  ])('find %s', (text) => {
    expect(refused(example(text))).toHaveLength(1)
  })

  it('find default exports, awaits and re-exports', () => {
    expect(defaultExports(example('export default 1'))).toHaveLength(1)
    expect(defaultExports(example('const a = 1\nexport { a as default }'))).toHaveLength(1)
    expect(defaultExports(example(`export { default } from './a.ts'`))).toHaveLength(1)
    expect(topLevelAwaits(example('if (true) { await 1 }'))).toHaveLength(1)
    expect(topLevelAwaits(example('for await (const a of b) {}\nexport {}'))).toHaveLength(1)
    expect(topLevelAwaits(example('async function f() { await 1 }\nclass A { b = async () => await 1 }'))).toEqual([])
    expect(reexports(example(`export * from './a.ts'`))).toHaveLength(1)
    expect(reexports(example(`export { a } from './a.ts'`))).toHaveLength(1)
    expect(reexports(example(`import { a } from './a.ts'\nexport { a }`))).toHaveLength(1)
  })

  it.each([
    ['const d = { ...inner }'],
    ['const d = { ...this.inner, kind: 1 }'],
    ['const d = { ...first[0] }'],
    ['const d = { ...(primary) }'],
    ['const d = new Proxy(inner, {})'],
    ['class Scoped extends Wrapper {}'],
    ['const d = Object.assign({}, inner)'],
    ['const d = Object.create(inner)'],
    ['Object.setPrototypeOf(d, inner)'],
  ])('find %s', (text) => {
    expect(forwarders(example(text))).toHaveLength(1)
  })

  it('let option bags and lists be spread', () => {
    expect(forwarders(example('const d = { ...inner.supports, ...options, a: [...inner.inner] }'))).toEqual([])
  })

  it('find a file without an opening', () => {
    expect(opening(parseSource('a.ts', `// a comment about a file\nconst a = 1`))).toBe('')
    expect(opening(parseSource('a.ts', `import './b.ts'\n/** About b. */\nconst b = 1`))).toBe('')
    expect(opening(example('const a = 1'))).toContain('An example.')
  })
})

/** The doc comment at the very top. */
function opening({ text, comments }: SourceFile): string {
  const [first] = comments
  return first?.start === 0 && first.type === 'Block' && text.startsWith('/**') ? first.value : ''
}

function refused(file: SourceFile): readonly string[] {
  const found = nodesOf(file, 'TSAnyKeyword', 'TSEnumDeclaration', 'TSParameterProperty').map(({ place }) => place)
  walk(file.program, (node) => {
    if (node.type === 'VariableDeclaration' && /using/.test(String(node['kind']))) found.push(placeOf(file, node))
  })
  return found
}

function defaultExports(file: SourceFile): readonly string[] {
  const named = nodesOf(file, 'ExportSpecifier').filter(
    ({ node: { exported } }) => isNode(exported) && (exported['name'] ?? exported['value']) === 'default',
  )
  return [...nodesOf(file, 'ExportDefaultDeclaration', 'TSExportAssignment'), ...named].map(({ place }) => place)
}

const FUNCTIONS = /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression|StaticBlock)$/

function topLevelAwaits(file: SourceFile): readonly string[] {
  const found: string[] = []
  walk(file.program, (node, around) => {
    const awaits = node.type === 'AwaitExpression' || (node.type === 'ForOfStatement' && node['await'] === true)
    if (awaits && !around.some(({ type }) => FUNCTIONS.test(type))) found.push(placeOf(file, node))
  })
  return found
}

/** Exports of what another module declares. */
function reexports(file: SourceFile): readonly string[] {
  const imported = new Set(
    nodesOf(file, 'ImportSpecifier', 'ImportDefaultSpecifier', 'ImportNamespaceSpecifier').map(({ node }) => identifier(node['local'])),
  )
  return nodesOf(file, 'ExportAllDeclaration', 'ExportNamedDeclaration', 'ExportSpecifier')
    .filter(({ node }) => isNode(node['source']) || (node.type === 'ExportSpecifier' && imported.has(identifier(node['local']))))
    .map(({ place }) => place)
}

function identifier(node: unknown): string {
  return isNode(node) ? String(node['name']) : ''
}

const WRAPPED = /^(inner|driver|primary|wrapped|first|source|target)$/

/** Ways to forward to a driver without naming its members: one that is added later would pass unseen. */
function forwarders(file: SourceFile): readonly string[] {
  const found: string[] = []
  walk(file.program, (node, around) => {
    if (forwards(node, around.at(-1))) found.push(placeOf(file, node))
  })
  return found
}

function forwards(node: SyntaxNode, parent: SyntaxNode | undefined): boolean {
  if (node.type === 'Identifier') return node['name'] === 'Proxy'
  if (node.type === 'ClassDeclaration') return isNode(node['superClass']) && !/^(Disk|Filesystem)$/.test(identifier(node['superClass']))
  if (node.type === 'SpreadElement') return parent?.type === 'ObjectExpression' && isDriver(node['argument'])
  if (node.type !== 'CallExpression' || !isNode(node['callee']) || node['callee'].type !== 'MemberExpression') return false
  const { object, property } = node['callee']
  const copies = identifier(object) === 'Object' && /^(assign|create|setPrototypeOf)$/.test(identifier(property))
  return copies && (node['arguments'] as readonly SyntaxNode[]).some(isDriver)
}

/** `inner`, `this.inner`, `drivers[0]`: a driver as a whole, as far as its name tells. */
function isDriver(node: unknown): boolean {
  if (!isNode(node)) return false
  if (node.type === 'ParenthesizedExpression' || node.type === 'TSAsExpression') return isDriver(node['expression'])
  if (node.type === 'MemberExpression') return node['computed'] === true || WRAPPED.test(identifier(node['property']))
  return WRAPPED.test(identifier(node))
}

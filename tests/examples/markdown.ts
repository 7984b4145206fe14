/**
 * The code in the documentation, as files that can be compiled.
 *
 *   <!-- prelude: import { Storage } from 'stowage' -->     goes before every later fence of the page that imports nothing itself
 *   ```ts                                                   a fence is one module, at the line that it has on the page
 *   // config/filesystems.ts                                a comment like this as the first line names the file, so that others can import it
 */
import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'

export const ROOT: string = resolve(import.meta.dirname, '../..')

export interface Page {
  /** Relative to the repository: `docs/http.md`. */
  readonly name: string
  readonly text: string
}

export interface Snippet {
  readonly page: string
  /** Of the fence's first line of code. */
  readonly line: number
  readonly language: string
  readonly code: string
  /** What a page says goes before. */
  readonly prelude: string
  /** The file's name, where the code says it. */
  readonly file: string | undefined
}

/** README.md and every guide. */
export async function readPages(): Promise<readonly Page[]> {
  const guides = (await readdir(join(ROOT, 'docs'))).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)
  return Promise.all(['README.md', ...guides.sort()].map(readPage))
}

export async function readPage(name: string): Promise<Page> {
  return { name, text: await readFile(join(ROOT, name), 'utf8') }
}

/** The fences of a page, in order. */
export function snippetsOf({ name, text }: Page): readonly Snippet[] {
  const snippets: Snippet[] = []
  let prelude = ''
  for (const match of text.matchAll(/<!-- prelude: (.*?) -->|^```(\w+)\n(.*?)^```$/gms)) {
    const [, said, language = '', code = ''] = match
    if (said !== undefined) prelude = said
    else
      snippets.push({
        page: name,
        line: text.slice(0, match.index).split('\n').length + 1,
        language,
        code,
        prelude: /^import /m.test(code) ? '' : prelude,
        file: /^\/\/ ([\w./-]+\.ts)$/m.exec(code.split('\n')[0] ?? '')?.[1],
      })
  }
  return snippets
}

/** The module of a snippet: its lines have the numbers that they have on the page. */
export function moduleOf({ prelude, line, code }: Snippet): string {
  const before = prelude.replaceAll('\n', ' ')
  return `${before}; export {}${'\n'.repeat(line - 1)}${code}`
}

/** The rows of the tables below a heading, as cells without their padding. */
export function tableRows({ text }: Page, heading: string): readonly (readonly string[])[] {
  const section = text.split(/^#+ /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  const rows = section.split('\n').filter((line) => /^\|.*\|$/.test(line) && !/^\|[\s|:-]+\|$/.test(line))
  return rows.map((row) =>
    row
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  )
}

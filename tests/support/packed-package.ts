/**
 * The package as npm gives it to users: built and packed from a copy of the sources, so that tests do not write into the `dist` of
 * this repository, and installed into an empty project.
 */
import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { askKeeper } from './servers/keeper-client.ts'
import { folderOf } from './servers/processes.ts'
import { ROOT } from './source-tree.ts'

const CONFIGURATION = ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'rollup.config.js']
const SOURCE = ['src', '.ci', ...CONFIGURATION, 'README.md', 'LICENSE', 'CHANGELOG.md']

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end, whatever its exit code. */
export async function run(
  program: string,
  args: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<Outcome> {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, { cwd, env: { ...process.env, ...env }, maxBuffer: 2 ** 26 })
    return { code: 0, stdout, stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: unknown; stdout: string; stderr: string }
    if (typeof code !== 'number') throw error
    return { code, stdout, stderr }
  }
}

/** Runs `node` with what is in this repository. @throws when it fails */
export async function runNode(args: readonly string[], cwd: string): Promise<string> {
  return succeeded(await run(process.execPath, args, { cwd }), `node ${args.join(' ')}`)
}

/** Runs npm, the one that runs the tests if there is one. @throws when it fails */
export async function npm(args: readonly string[], cwd: string): Promise<string> {
  const script = process.env['npm_execpath']
  const outcome = script?.endsWith('.js') ? await run(process.execPath, [script, ...args], { cwd }) : await run('npm', args, { cwd })
  return succeeded(outcome, `npm ${args.join(' ')}`)
}

function succeeded({ code, stdout, stderr }: Outcome, command: string): string {
  if (code !== 0) throw new Error(`${command} exited with ${code}\n${stderr}${stdout}`)
  return stdout
}

/** `npm run build` in a copy of the sources: once in a run of tests, whoever asks first. */
export async function startSharedBuild(run: string): Promise<{ readonly source: string }> {
  const source = folderOf(run, 'package')
  for (const name of SOURCE) await cp(join(ROOT, name), join(source, name), { recursive: true })
  await symlink(join(ROOT, 'node_modules'), join(source, 'node_modules'))
  await npm(['run', 'build'], source)
  return { source }
}

/** The sources and what is built of them, below the directory. @returns the folder */
export async function buildSource(directory: string): Promise<string> {
  const { source } = await askKeeper<{ readonly source: string }>('package')
  const copy = join(directory, 'source')
  await cp(source, copy, { recursive: true })
  return copy
}

/** Builds and packs. @returns the tarball, and the folder that it was packed in */
export async function packPackage(directory: string): Promise<{ readonly tarball: string; readonly source: string }> {
  const source = await buildSource(directory)
  await npm(['pack', '--pack-destination', directory], source)
  const { version } = JSON.parse(await readFile(join(source, 'package.json'), 'utf8')) as { version: string }
  return { tarball: join(directory, `stowage-${version}.tgz`), source }
}

/** Installs the tarball into a new, empty project: nothing but the package and what it depends on. */
export async function installPackage(tarball: string, project: string): Promise<void> {
  await mkdir(project, { recursive: true })
  await writeFile(join(project, 'package.json'), '{ "name": "app", "private": true, "type": "module" }')
  await npm(['install', tarball, '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'], project)
}

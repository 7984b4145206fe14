/**
 * The package as users get it: compiled, under the name `stowage`, in a `node_modules` folder of its own with its dependencies.
 */
import { mkdir, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { buildSource } from './packed-package.ts'
import { ROOT } from './source-tree.ts'

const DEPENDENCIES = ['jiti', 'mime-types', 'mime-db', '@types']

/** The TypeScript compiler of this repository, for `node`. */
export const TSC: string = join(ROOT, 'node_modules/typescript/bin/tsc')

/** Builds the package below a directory. @returns the `node_modules` folder that holds it */
export async function buildPackage(directory: string): Promise<string> {
  const source = await buildSource(directory)
  const packages = join(directory, 'node_modules')
  await mkdir(join(packages, 'stowage'), { recursive: true })
  for (const name of ['dist', 'package.json']) await rename(join(source, name), join(packages, 'stowage', name))
  await rm(source, { recursive: true })
  for (const name of DEPENDENCIES) await symlink(join(ROOT, 'node_modules', name), join(packages, name))
  return packages
}

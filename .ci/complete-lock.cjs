/**
 * Adds to package-lock.json the optional packages of other platforms that npm left out, because the registry that it asked does not have
 * them. Without them `npm ci` refuses the file, on every platform. Their integrity is not known here.
 *
 *   node .ci/complete-lock.cjs      after an npm install that changed package-lock.json
 */
'use strict'
const { readFileSync, writeFileSync } = require('node:fs')

const FILE = 'package-lock.json'
const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const PROCESSORS = ['arm', 'arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64']

const lock = JSON.parse(readFileSync(FILE, 'utf8'))
const present = new Set(Object.keys(lock.packages).map((place) => place.slice(place.lastIndexOf('node_modules/') + 13)))
const missing = Object.values(lock.packages).flatMap(({ optionalDependencies = {}, dev }) =>
  Object.entries(optionalDependencies)
    .filter(([name]) => !present.has(name))
    .map(([name, version]) => [
      `node_modules/${name}`,
      { version: exact(name, version), ...platformOf(name), ...(dev && { dev }), optional: true },
    ]),
)
const packages = Object.entries(lock.packages).concat(missing)
lock.packages = Object.fromEntries(packages.sort(([a], [b]) => a.localeCompare(b, 'en')))
writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`${FILE}: added ${missing.length} packages of other platforms`)

function exact(name, version) {
  if (/^\d+\.\d+\.\d+[\w.+-]*$/.test(version)) return version
  throw new Error(`which version of ${name} is ${version}? Add it to ${FILE} by hand`)
}

/** By the words of the name: `@rollup/rollup-linux-arm64-musl`. */
function platformOf(name) {
  const words = name.split(/[-/]/)
  const os = SYSTEMS.filter((word) => words.includes(word))
  const cpu = PROCESSORS.filter((word) => words.includes(word))
  const libc = words.some((word) => word.startsWith('musl'))
    ? ['musl']
    : os.includes('linux') && words.some((word) => word.startsWith('gnu'))
      ? ['glibc']
      : []
  return { ...(cpu.length > 0 && { cpu }), ...(libc.length > 0 && { libc }), ...(os.length > 0 && { os }) }
}

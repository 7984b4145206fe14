/** What tells the files of one disk from those of another that uses the same store: the same for every process, where that can be known. */
import { hostname } from 'node:os'
import { nodeCrypto } from '../../builtins.ts'
import type { Driver } from '../../driver.ts'

/** Of places that no other process can mean: files in memory, and those of drivers that do not say where they are. */
const PROCESS: string = nodeCrypto().randomUUID()

export function identityOf(driver: Driver): string {
  return nodeCrypto()
    .createHash('sha256')
    .update(JSON.stringify(placeOf(driver)))
    .digest('base64url')
    .slice(0, 16)
}

/** The layers down to the files. Bytes that are changed on the way have no place of their own, but what is below has one. */
function placeOf(driver: Driver): unknown {
  const { kind, name, inner } = driver
  if (inner.length > 0) return [kind, driver.locate('file'), inner.map(placeOf)]
  const place = driver.locate('file')
  if (place === undefined || kind === 'memory') return [name, place, PROCESS]
  return kind === 'local' ? [name, place, hostname()] : [name, place]
}

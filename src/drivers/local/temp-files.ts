/**
 * Names for the disk's own files, and whether the process that made one still lives.
 *
 *   .stowage-tmp-<host>-<pid>-<start>-<unique>     content on its way to a name;  <start>: clock ticks from boot to the process's start
 *   .stowage-lock-<hash of name>                   holds <host>-<pid>-<start>
 *   .stowage-meta-<hash of name>                   see sidecar.ts
 *
 * A process is known by host, id and start time, so that one that reuses an id is not taken for the one that crashed. On the same
 * host the system says who lives; of other hosts' files only age tells.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { nodeCrypto } from '../../builtins.ts'
import { HIDDEN_PREFIX } from './keys.ts'
import { errnoOf } from './local-errors.ts'

/** After this time a file of another host's process is taken for abandoned. */
export const FOREIGN_AGE_MS: number = 24 * 60 * 60 * 1_000

const TEMP = new RegExp(`^\\${HIDDEN_PREFIX}-tmp-([0-9a-f]{8}-\\d+-\\d+)-`)

let self: string | undefined
let unique: string | undefined
let count = 0

/** A name that nobody else uses: not derived from the target's, which may be as long as a name can be. */
export function tempName(): string {
  unique ??= nodeCrypto().randomBytes(6).toString('hex')
  return `${HIDDEN_PREFIX}-tmp-${owner()}-${unique}-${(count++).toString(36)}`
}

/** The owner in a temporary file's name; undefined for other names. */
export function ownerOf(name: string): string | undefined {
  return TEMP.exec(name)?.[1]
}

/** This process, as it signs its files; its worker threads are the same owner. */
export function owner(): string {
  self ??= `${host()}-${process.pid}-${startOf('self')}`
  return self
}

/** The name of one of the disk's own files that belongs to a file. */
export function ownName(kind: 'meta' | 'lock', name: string): string {
  return `${HIDDEN_PREFIX}-${kind}-${nodeCrypto().hash('sha256', name, 'hex').slice(0, 32)}`
}

/** True when the owner is known to have ended; undefined when it is of another host, or no owner at all. */
export function hasEnded(id: string): boolean | undefined {
  if (id === owner()) return false
  const [where, pid, start] = id.split('-')
  if (where !== host() || pid === undefined || start === undefined) return undefined
  try {
    process.kill(Number(pid), 0)
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return true
  }
  return start !== '0' && startOf(pid) !== start
}

let hostId: string | undefined

/** Containers share a volume, and even a host name, but not their process ids: the namespace of these is part of the name. */
function host(): string {
  hostId ??= nodeCrypto().hash('sha256', `${hostname()}\n${pidNamespace()}`, 'hex').slice(0, 8)
  return hostId
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)), counted after the command, which may hold anything; '0' where there is no procfs. */
function startOf(pid: string): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '0'
  } catch {
    return '0'
  }
}

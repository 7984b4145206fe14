/** What a local disk is given, and what its parts have to know about it. */
import { resolve } from 'node:path'
import type { Visibility } from '../../driver.ts'
import { ConfigurationError } from '../../errors.ts'
import { type LinkPolicy, Root } from './containment.ts'
import { Sweeper } from './sweeper.ts'

export interface LocalDriverOptions {
  /** The directory, relative to the working directory. It is made when the first file is written. */
  readonly root: string
  /** Modes of what is made. Default: 0644 and 0755 public, 0600 and 0700 private. */
  readonly permissions?: LocalPermissions | undefined
  /** Symbolic links below the root: as if they were not there, an error, or followed as long as they stay inside it. Default: `skip`. */
  readonly links?: LinkPolicy | undefined
  /** A write is done when the device has it (fsync of the file and its directory). Default: false. */
  readonly durable?: boolean | undefined
  /** Of what is written without one. Default: `private`. */
  readonly visibility?: Visibility | undefined
}

export interface LocalPermissions {
  readonly file?: LocalModes | undefined
  readonly dir?: LocalModes | undefined
}

export interface LocalModes {
  readonly public?: number | undefined
  readonly private?: number | undefined
}

export interface LocalSettings {
  readonly root: Root
  readonly fileModes: Readonly<Record<Visibility, number>>
  readonly directoryModes: Readonly<Record<Visibility, number>>
  readonly visibility: Visibility
  readonly durable: boolean
  readonly sweeper: Sweeper
}

/** @throws ConfigurationError without a root */
export function settingsOf({ root, permissions, links, durable, visibility }: LocalDriverOptions): LocalSettings {
  if (typeof root !== 'string' || root === '') throw new ConfigurationError('a local disk needs "root", the path of a directory')
  const contained = new Root(resolve(root), links ?? 'skip')
  return {
    root: contained,
    fileModes: { public: permissions?.file?.public ?? 0o644, private: permissions?.file?.private ?? 0o600 },
    directoryModes: { public: permissions?.dir?.public ?? 0o755, private: permissions?.dir?.private ?? 0o700 },
    visibility: visibility ?? 'private',
    durable: durable ?? false,
    sweeper: new Sweeper(contained),
  }
}

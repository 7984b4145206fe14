/**
 * Modules of Node that are loaded when they are first used: importing them would be a third of what it costs to import Stowage.
 */
import type * as Crypto from 'node:crypto'
import type * as Zlib from 'node:zlib'

/** `node:crypto` */
export function nodeCrypto(): typeof Crypto {
  return process.getBuiltinModule('node:crypto')
}

/** `node:zlib` */
export function nodeZlib(): typeof Zlib {
  return process.getBuiltinModule('node:zlib')
}

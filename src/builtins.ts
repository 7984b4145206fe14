/**
 * Modules of Node that are loaded when they are first used: importing them would be a third of what it costs to import Stowage.
 */
import type * as Crypto from 'node:crypto'
import type * as Http from 'node:http'
import type * as Https from 'node:https'
import type * as Module from 'node:module'
import type * as Net from 'node:net'
import type * as Tls from 'node:tls'
import type * as Zlib from 'node:zlib'

/** `node:crypto` */
export function nodeCrypto(): typeof Crypto {
  return process.getBuiltinModule('node:crypto')
}

/** `node:http` */
export function nodeHttp(): typeof Http {
  return process.getBuiltinModule('node:http')
}

/** `node:https` */
export function nodeHttps(): typeof Https {
  return process.getBuiltinModule('node:https')
}

/** `node:module` */
export function nodeModule(): Pick<typeof Module, 'createRequire'> {
  return process.getBuiltinModule('node:module')
}

/** `node:net` */
export function nodeNet(): typeof Net {
  return process.getBuiltinModule('node:net')
}

/** `node:tls` */
export function nodeTls(): typeof Tls {
  return process.getBuiltinModule('node:tls')
}

/** `node:zlib` */
export function nodeZlib(): typeof Zlib {
  return process.getBuiltinModule('node:zlib')
}

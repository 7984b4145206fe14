/** `stowage/http`: what answers the URLs of served disks. */
export type { ServableDisk, ServableStorage } from './access.ts'
export { createHandler, type Handler, type HandlerOptions } from './handler.ts'
export { toNodeHandler } from './node-handler.ts'

/** `stowage/http`: what answers the URLs of served disks. */
export { createHandler, type Handler, type HandlerOptions, type ServableDisk, type ServableStorage } from './handler.ts'
export { toNodeHandler } from './node-handler.ts'

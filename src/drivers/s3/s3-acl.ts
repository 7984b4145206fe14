/** ACLs of files as users of an S3 disk see them. Types only: what is behind them is in acl.ts. */
import type { CallOptions } from '../../driver.ts'

export type S3CannedAcl =
  | 'private'
  | 'public-read'
  | 'public-read-write'
  | 'authenticated-read'
  | 'aws-exec-read'
  | 'bucket-owner-read'
  | 'bucket-owner-full-control'

export interface S3Grant {
  readonly grantee: S3Grantee
  readonly permission: S3AclPermission
}

export type S3AclPermission = 'read' | 'write' | 'readAcl' | 'writeAcl' | 'full'

/** `everyone`: without credentials too; `authenticated`: any account of the store. */
export type S3Grantee =
  | { readonly type: 'user'; readonly id: string; readonly name?: string | undefined }
  | { readonly type: 'email'; readonly email: string }
  | { readonly type: 'everyone' | 'authenticated' | 'logs' }

export interface S3Acl {
  readonly owner: { readonly id: string; readonly name?: string | undefined } | undefined
  readonly grants: readonly S3Grant[]
}

export interface S3AclOptions extends CallOptions {
  readonly versionId?: string | undefined
}

/** The ACLs of files, as lists of grants. */
export interface S3ObjectAcls {
  /** @throws UnsupportedError where the store has no ACLs; FileNotFoundError */
  get(path: string, options?: S3AclOptions): Promise<S3Acl>
  /** Replaces the whole ACL; given grants, two requests, because S3 wants the owner said again. @throws UnsupportedError without `acl: true` */
  set(path: string, acl: S3CannedAcl | readonly S3Grant[], options?: S3AclOptions): Promise<void>
}

/**
 * The ACL of a file: who may do what, as a list of grants, or one of S3's canned lists.
 *
 *   await disk.layer('s3')!.acl.set('a.txt', 'public-read')
 *   await disk.layer('s3')!.acl.set('a.txt', [{ grantee: { type: 'user', id }, permission: 'read' }])
 *
 * Buckets of Amazon have no ACLs unless their object ownership says so; `set` needs `acl: true` like everything that sends one.
 */
import type { Grant as SdkGrant, Permission as SdkPermission } from '@aws-sdk/client-s3'
import { InvalidArgumentError, UnsupportedError } from '../../errors.ts'
import { normalizeFilePath } from '../../path.ts'
import type { S3Access } from './access.ts'
import { ask } from './ask.ts'
import type { S3Connection } from './client.ts'
import { checkKey } from './keys.ts'
import type { S3Acl, S3AclOptions, S3AclPermission, S3CannedAcl, S3Grant, S3ObjectAcls } from './s3-acl.ts'
import type { S3Settings } from './settings.ts'

const GROUPS = {
  everyone: 'http://acs.amazonaws.com/groups/global/AllUsers',
  authenticated: 'http://acs.amazonaws.com/groups/global/AuthenticatedUsers',
  logs: 'http://acs.amazonaws.com/groups/s3/LogDelivery',
} as const

const PERMISSIONS = {
  read: 'READ',
  write: 'WRITE',
  readAcl: 'READ_ACP',
  writeAcl: 'WRITE_ACP',
  full: 'FULL_CONTROL',
} as const satisfies Record<S3AclPermission, SdkPermission>

export class AclRequests implements S3ObjectAcls {
  readonly #access: S3Access

  constructor(connection: S3Connection, settings: S3Settings) {
    this.#access = { connection, settings }
  }

  /** @throws UnsupportedError where the store has no ACLs; FileNotFoundError */
  async get(path: string, options: S3AclOptions = {}): Promise<S3Acl> {
    this.#judge()
    return aclOf(await this.#fetch(path, options))
  }

  /** Replaces the whole ACL; given grants, two requests, because S3 wants the owner said again. @throws UnsupportedError without `acl: true` */
  async set(path: string, acl: S3CannedAcl | readonly S3Grant[], options: S3AclOptions = {}): Promise<void> {
    this.#judge()
    if (!this.#access.settings.acl) throw new UnsupportedError('the disk sends no ACLs: set "acl: true" if its bucket has them')
    const { settings } = this.#access
    const at = { Bucket: settings.bucket, Key: checkKey(normalizeFilePath(path)), VersionId: options.versionId }
    const input =
      typeof acl === 'string'
        ? { ...at, ACL: acl }
        : { ...at, AccessControlPolicy: { Grants: acl.map(sdkGrantOf), Owner: (await this.#fetch(path, options)).Owner } }
    await ask(this.#access, ({ client, sdk }, http) => client.send(new sdk.PutObjectAclCommand(input), http), {
      operation: 'setVisibility',
      path,
      signal: options.signal,
    })
  }

  #judge(): void {
    const { name, features } = this.#access.settings
    if (!features.acl) throw new UnsupportedError(`${name} has no ACLs of files`)
  }

  async #fetch(path: string, { versionId, signal }: S3AclOptions): Promise<SdkAcl> {
    const input = { Bucket: this.#access.settings.bucket, Key: checkKey(normalizeFilePath(path)), VersionId: versionId }
    return ask(this.#access, ({ client, sdk }, http) => client.send(new sdk.GetObjectAclCommand(input), http), {
      operation: 'visibility',
      path,
      signal,
    })
  }
}

/** Whether anyone may read the file. */
export function isPublic({ grants }: S3Acl): boolean {
  return grants.some(({ grantee, permission }) => grantee.type === 'everyone' && (permission === 'read' || permission === 'full'))
}

interface SdkAcl {
  readonly Owner?: { readonly ID?: string | undefined; readonly DisplayName?: string | undefined } | undefined
  readonly Grants?: SdkGrant[] | undefined
}

function aclOf({ Owner, Grants = [] }: SdkAcl): S3Acl {
  const owner = Owner?.ID === undefined ? undefined : { id: Owner.ID, ...(Owner.DisplayName ? { name: Owner.DisplayName } : {}) }
  return { owner, grants: Grants.flatMap(grantOf) }
}

function grantOf({ Grantee = { Type: undefined }, Permission }: SdkGrant): readonly S3Grant[] {
  const permission = (Object.keys(PERMISSIONS) as S3AclPermission[]).find((name) => PERMISSIONS[name] === Permission)
  const group = (Object.keys(GROUPS) as (keyof typeof GROUPS)[]).find((name) => GROUPS[name] === Grantee.URI)
  if (permission === undefined) return []
  if (group !== undefined) return [{ grantee: { type: group }, permission }]
  if (Grantee.ID !== undefined) {
    return [{ grantee: { type: 'user', id: Grantee.ID, ...(Grantee.DisplayName ? { name: Grantee.DisplayName } : {}) }, permission }]
  }
  return Grantee.EmailAddress === undefined ? [] : [{ grantee: { type: 'email', email: Grantee.EmailAddress }, permission }]
}

function sdkGrantOf({ grantee, permission }: S3Grant): SdkGrant {
  const Permission = Object.hasOwn(PERMISSIONS, permission) ? PERMISSIONS[permission] : undefined
  if (Permission === undefined) throw new InvalidArgumentError(`a permission is one of ${Object.keys(PERMISSIONS).join(', ')}`)
  if (grantee.type === 'user') return { Permission, Grantee: { Type: 'CanonicalUser', ID: grantee.id } }
  if (grantee.type === 'email') return { Permission, Grantee: { Type: 'AmazonCustomerByEmail', EmailAddress: grantee.email } }
  if (!Object.hasOwn(GROUPS, grantee.type)) throw new InvalidArgumentError('a grantee is a user, an email, everyone, authenticated or logs')
  return { Permission, Grantee: { Type: 'Group', URI: GROUPS[grantee.type] } }
}

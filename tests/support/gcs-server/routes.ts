/**
 * The methods of the JSON API that this server plays, by their names in Google's API description, with what it does about each of their
 * parameters: it honours them, ignores them without harm, or refuses them. `tests/unit/gcs-server` holds this table to the description.
 */
import { bucketAclHandlers, defaultAclHandlers, objectAclHandlers } from './acl.ts'
import * as buckets from './buckets.ts'
import type { Handler } from './call.ts'
import * as copying from './copying.ts'
import { listObjects } from './listing.ts'
import * as objects from './objects.ts'
import { insertObject } from './uploads.ts'

export interface Route {
  /** `storage.objects.get` */
  readonly id: string
  readonly method: string
  /** `b/:bucket/o/:object`: each name is one segment, percent-encoded. */
  readonly path: string
  readonly handle: Handler
  readonly honoured: readonly string[]
  /** Billing, quotas and what changes no answer here. */
  readonly ignored?: readonly string[]
  /** Answered with 501, unless `false`. */
  readonly refused?: readonly string[]
}

const META = ['ifMetagenerationMatch', 'ifMetagenerationNotMatch']
const GENERATIONS = ['ifGenerationMatch', 'ifGenerationNotMatch', ...META]
const SOURCES = ['ifSourceGenerationMatch', 'ifSourceGenerationNotMatch', 'ifSourceMetagenerationMatch', 'ifSourceMetagenerationNotMatch']
const LISTED = ['prefix', 'delimiter', 'startOffset', 'endOffset', 'matchGlob', 'includeTrailingDelimiter', 'versions']
const COPIED = [
  'sourceBucket',
  'sourceObject',
  'sourceGeneration',
  'destinationBucket',
  'destinationObject',
  'destinationPredefinedAcl',
  'destinationKmsKeyName',
]
const BILLED = ['userProject']
const CONTEXTS = ['dropContextGroups']

const OBJECTS: readonly Route[] = [
  {
    id: 'storage.objects.list',
    method: 'GET',
    path: 'b/:bucket/o',
    handle: listObjects,
    honoured: ['bucket', ...LISTED, 'maxResults', 'pageToken', 'projection'],
    ignored: BILLED,
    refused: ['softDeleted', 'filter', 'includeFoldersAsPrefixes'],
  },
  {
    id: 'storage.objects.insert',
    method: 'POST',
    path: 'b/:bucket/o',
    handle: insertObject,
    honoured: ['bucket', 'name', 'contentEncoding', 'predefinedAcl', 'projection', 'kmsKeyName', ...GENERATIONS],
    ignored: BILLED,
  },
  {
    id: 'storage.objects.get',
    method: 'GET',
    path: 'b/:bucket/o/:object',
    handle: objects.getObject,
    honoured: ['bucket', 'object', 'generation', 'projection', ...GENERATIONS],
    ignored: BILLED,
    refused: ['softDeleted', 'restoreToken'],
  },
  {
    id: 'storage.objects.patch',
    method: 'PATCH',
    path: 'b/:bucket/o/:object',
    handle: objects.patchObject,
    honoured: ['bucket', 'object', 'generation', 'projection', 'predefinedAcl', 'overrideUnlockedRetention', ...GENERATIONS],
    ignored: BILLED,
  },
  {
    id: 'storage.objects.update',
    method: 'PUT',
    path: 'b/:bucket/o/:object',
    handle: objects.updateObject,
    honoured: ['bucket', 'object', 'generation', 'projection', 'predefinedAcl', 'overrideUnlockedRetention', ...GENERATIONS],
    ignored: BILLED,
  },
  {
    id: 'storage.objects.delete',
    method: 'DELETE',
    path: 'b/:bucket/o/:object',
    handle: objects.deleteObject,
    honoured: ['bucket', 'object', 'generation', ...GENERATIONS],
    ignored: BILLED,
  },
  {
    id: 'storage.objects.copy',
    method: 'POST',
    path: 'b/:bucket/o/:object/copyTo/b/:toBucket/o/:toObject',
    handle: copying.copyObject,
    honoured: [...COPIED, 'projection', ...GENERATIONS, ...SOURCES],
    ignored: BILLED,
  },
  {
    id: 'storage.objects.rewrite',
    method: 'POST',
    path: 'b/:bucket/o/:object/rewriteTo/b/:toBucket/o/:toObject',
    handle: copying.rewriteObject,
    honoured: [...COPIED, 'projection', 'maxBytesRewrittenPerCall', 'rewriteToken', ...GENERATIONS, ...SOURCES],
    ignored: BILLED,
    refused: CONTEXTS,
  },
  {
    id: 'storage.objects.move',
    method: 'POST',
    path: 'b/:bucket/o/:object/moveTo/o/:toObject',
    handle: copying.moveObject,
    honoured: ['bucket', 'sourceObject', 'destinationObject', 'projection', ...GENERATIONS, ...SOURCES],
    ignored: BILLED,
  },
  {
    id: 'storage.objects.compose',
    method: 'POST',
    path: 'b/:bucket/o/:object/compose',
    handle: copying.composeObject,
    honoured: [
      'destinationBucket',
      'destinationObject',
      'destinationPredefinedAcl',
      'kmsKeyName',
      'ifGenerationMatch',
      'ifMetagenerationMatch',
    ],
    ignored: BILLED,
    refused: CONTEXTS,
  },
]

const BUCKETS: readonly Route[] = [
  {
    id: 'storage.buckets.list',
    method: 'GET',
    path: 'b',
    handle: buckets.listBuckets,
    honoured: ['project', 'prefix', 'maxResults', 'pageToken', 'projection'],
    ignored: [...BILLED, 'returnPartialSuccess'],
    refused: ['softDeleted'],
  },
  {
    id: 'storage.buckets.insert',
    method: 'POST',
    path: 'b',
    handle: buckets.insertBucket,
    honoured: ['project', 'predefinedAcl', 'predefinedDefaultObjectAcl', 'projection', 'enableObjectRetention'],
    ignored: BILLED,
  },
  {
    id: 'storage.buckets.get',
    method: 'GET',
    path: 'b/:bucket',
    handle: buckets.getBucket,
    honoured: ['bucket', 'projection', ...META],
    ignored: BILLED,
    refused: ['softDeleted', 'generation'],
  },
  {
    id: 'storage.buckets.patch',
    method: 'PATCH',
    path: 'b/:bucket',
    handle: buckets.patchBucket,
    honoured: ['bucket', 'predefinedAcl', 'predefinedDefaultObjectAcl', 'projection', ...META],
    ignored: BILLED,
  },
  {
    id: 'storage.buckets.update',
    method: 'PUT',
    path: 'b/:bucket',
    handle: buckets.updateBucket,
    honoured: ['bucket', 'predefinedAcl', 'predefinedDefaultObjectAcl', 'projection', ...META],
    ignored: BILLED,
  },
  {
    id: 'storage.buckets.delete',
    method: 'DELETE',
    path: 'b/:bucket',
    handle: buckets.deleteBucket,
    honoured: ['bucket', ...META],
    ignored: BILLED,
  },
  {
    id: 'storage.buckets.lockRetentionPolicy',
    method: 'POST',
    path: 'b/:bucket/lockRetentionPolicy',
    handle: buckets.lockRetention,
    honoured: ['bucket', 'ifMetagenerationMatch'],
    ignored: BILLED,
  },
  {
    id: 'storage.buckets.getIamPolicy',
    method: 'GET',
    path: 'b/:bucket/iam',
    handle: buckets.getPolicy,
    honoured: ['bucket'],
    ignored: [...BILLED, 'optionsRequestedPolicyVersion'],
  },
  {
    id: 'storage.buckets.setIamPolicy',
    method: 'PUT',
    path: 'b/:bucket/iam',
    handle: buckets.setPolicy,
    honoured: ['bucket'],
    ignored: BILLED,
  },
  {
    id: 'storage.buckets.testIamPermissions',
    method: 'GET',
    path: 'b/:bucket/iam/testPermissions',
    handle: buckets.testPermissions,
    honoured: ['bucket', 'permissions'],
    ignored: BILLED,
  },
  {
    id: 'storage.projects.serviceAccount.get',
    method: 'GET',
    path: 'projects/:project/serviceAccount',
    handle: buckets.serviceAccount,
    honoured: ['projectId'],
    ignored: BILLED,
  },
]

type Acls = typeof objectAclHandlers

/** list, get, insert, patch, update and delete of one kind of access control. */
function aclRoutes(
  resource: string,
  path: string,
  { handlers, own }: { readonly handlers: Acls; readonly own: readonly string[] },
): readonly Route[] {
  const isOfObject = own.includes('object')
  const route = (name: string, method: string, rest: { readonly handle: Handler; readonly more?: readonly string[] }): Route => ({
    id: `storage.${resource}.${name}`,
    method,
    path: ['list', 'insert'].includes(name) ? path : `${path}/:entity`,
    handle: rest.handle,
    honoured: [
      ...own,
      ...(isOfObject ? ['generation'] : []),
      ...(['list', 'insert'].includes(name) ? [] : ['entity']),
      ...(rest.more ?? []),
    ],
    ignored: BILLED,
  })
  return [
    route('list', 'GET', { handle: handlers.list, more: resource === 'defaultObjectAccessControls' ? META : [] }),
    route('insert', 'POST', { handle: handlers.insert }),
    route('get', 'GET', { handle: handlers.get }),
    route('patch', 'PATCH', { handle: handlers.patch }),
    route('update', 'PUT', { handle: handlers.update }),
    route('delete', 'DELETE', { handle: handlers.remove }),
  ]
}

export const ROUTES: readonly Route[] = [
  ...OBJECTS,
  ...BUCKETS,
  ...aclRoutes('objectAccessControls', 'b/:bucket/o/:object/acl', { handlers: objectAclHandlers, own: ['bucket', 'object'] }),
  ...aclRoutes('bucketAccessControls', 'b/:bucket/acl', { handlers: bucketAclHandlers, own: ['bucket'] }),
  ...aclRoutes('defaultObjectAccessControls', 'b/:bucket/defaultObjectAcl', { handlers: defaultAclHandlers, own: ['bucket'] }),
]

/** A file read whole: as bytes, and as JSON that a schema may judge. */
import { collect } from './content.ts'
import type { Place } from './copy-between.ts'
import { type Deadline, watchedBody } from './deadline.ts'
import { resolveRange } from './derive.ts'
import { IntegrityError, InvalidArgumentError } from './errors.ts'
import { type GetOptions, judgeBytes, judgeRange, judgeVersion, type StandardSchema } from './options.ts'

/** @throws QuotaExceededError beyond `maxBytes`, before more is read */
export async function getBytes(
  { driver, path, signal, deadline }: Place & { readonly signal: AbortSignal | undefined; readonly deadline: Deadline | undefined },
  { range, maxBytes, versionId }: GetOptions,
): Promise<Buffer> {
  judgeRange(range)
  judgeBytes('maxBytes', maxBytes)
  judgeVersion(versionId, driver)
  const { stat, body } = await driver.read(path, { range, versionId, signal })
  const { start, end } = resolveRange(range, stat.size)
  const whole = deadline === undefined || body.bytes !== undefined
  return collect(whole ? body : watchedBody(body, { deadline }), { expected: end - start, maxBytes })
}

/** @throws InvalidArgumentError for what is not a Standard Schema */
export function judgeSchema(schema: StandardSchema<unknown> | undefined): void {
  if (schema === undefined) return
  const standard = (schema as { readonly '~standard'?: { readonly validate?: unknown } } | null)?.['~standard']
  if (typeof standard?.validate !== 'function')
    throw new InvalidArgumentError('schema must be a Standard Schema, as zod, valibot or arktype make it')
}

/** @throws IntegrityError for what is not JSON; InvalidArgumentError when the schema refuses it */
export async function parsed<T>(text: string, schema: StandardSchema<T> | undefined): Promise<T> {
  let value: unknown
  try {
    value = JSON.parse(text.replace(/^\ufeff/, ''))
  } catch (error) {
    throw new IntegrityError('the file is not JSON', { cause: error })
  }
  if (schema === undefined) return value as T
  const result = await schema['~standard'].validate(value)
  if (result.issues === undefined) return result.value
  const reasons = result.issues.map(({ message }) => message).join('; ')
  throw new InvalidArgumentError(`the schema refuses the file: ${reasons}`, { cause: result.issues })
}

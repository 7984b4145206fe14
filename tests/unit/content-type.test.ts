import { describe, expect, it } from '@jest/globals'
import { lookup } from 'mime-types'
import { contentTypeOf, USUAL } from '../../src/content-type.ts'

describe('the content type of a path', () => {
  it.each([
    ['a.txt', 'text/plain'],
    ['photos/A.JPG', 'image/jpeg'],
    ['archive.tar.gz', 'application/gzip'],
    ['sheet.xlsx', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
    ['a.unheard-of', undefined],
    ['c', undefined],
    ['js', undefined],
    ['.json', undefined],
    ['json.d/readme', undefined],
    ['a.', undefined],
  ])('of %s is %s', async (path, type) => {
    expect(await contentTypeOf(path)).toBe(type)
  })

  it.each([...USUAL])('of %s is that of the table: %s', (extension, type) => {
    expect(lookup(extension)).toBe(type)
  })
})

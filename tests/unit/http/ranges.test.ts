import { describe, expect, it } from '@jest/globals'
import { parseRanges, selectPart } from '../../../src/http/ranges.ts'

const part = (start: number, end: number): { start: number; end: number } => ({ start, end })

describe('a Range header on 10 bytes', () => {
  it.each([
    // one part
    ['bytes=0-0', part(0, 1)],
    ['bytes=0-9', part(0, 10)],
    ['bytes=2-4', part(2, 5)],
    ['bytes=9-', part(9, 10)],
    ['bytes=0-', part(0, 10)],
    ['bytes=5-999', part(5, 10)],
    ['bytes=5-99999999999999999999999', part(5, 10)],
    ['bytes=-3', part(7, 10)],
    ['bytes=-10', part(0, 10)],
    ['bytes=-999', part(0, 10)],
    ['BYTES=0-1', part(0, 2)],
    ['bytes=, 0-1 ,', part(0, 2)],
    // several that make one
    ['bytes=0-1,2-3', part(0, 4)],
    ['bytes=4-5, 0-4', part(0, 6)],
    ['bytes=0-8,1-2', part(0, 9)],
    ['bytes=0-1,50-60', part(0, 2)],
    ['bytes=8-,-1', part(8, 10)],
    // several that do not
    ['bytes=0-0,5-5', undefined],
    ['bytes=0-0,-1', undefined],
    // nothing to send
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=10-20', 'unsatisfiable'],
    ['bytes=99999999999999999999999-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=10-,-0', 'unsatisfiable'],
    // ignored
    [null, undefined],
    ['', undefined],
    ['bytes', undefined],
    ['bytes=', undefined],
    ['bytes=,', undefined],
    ['bytes=-', undefined],
    ['bytes=a-b', undefined],
    ['bytes=5-4', undefined],
    ['bytes=0-1,5-4', undefined],
    ['bytes=0-1;2-3', undefined],
    ['bytes=1', undefined],
    ['bytes=--1', undefined],
    ['bytes=+1-2', undefined],
    ['bytes=0x1-2', undefined],
    ['bytes = 0-1', undefined],
    ['items=0-1', undefined],
    ['0-1', undefined],
  ])('%p is %p', (header, expected) => {
    expect(selectPart(parseRanges(header), 10)).toEqual(expected)
  })
})

describe('a Range header on an empty file', () => {
  it.each([
    ['bytes=0-', 'unsatisfiable'],
    ['bytes=0-0', 'unsatisfiable'],
    ['bytes=-1', undefined],
    ['bytes=-0', 'unsatisfiable'],
  ])('%p is %p', (header, expected) => {
    expect(selectPart(parseRanges(header), 0)).toEqual(expected)
  })
})

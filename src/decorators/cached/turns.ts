/**
 * Questions that many ask at once, asked once: while one is under way, all who come wait for the next, which is sent after they came.
 * So nobody gets an answer that is older than the question, and a thousand cost two.
 */
interface Turn<T> {
  readonly answer: Promise<T>
  next: Promise<T> | undefined
}

export class Turns<T> {
  readonly #turns = new Map<string, Turn<T>>()

  ask(question: string, send: () => Promise<T>): Promise<T> {
    const turn = this.#turns.get(question)
    if (turn === undefined) return this.#begin(question, send)
    const begin = (): Promise<T> => this.#begin(question, send)
    turn.next ??= turn.answer.then(begin, begin)
    return turn.next
  }

  #begin(question: string, send: () => Promise<T>): Promise<T> {
    const turn: Turn<T> = { answer: send(), next: undefined }
    this.#turns.set(question, turn)
    const end = (): void => {
      if (turn.next === undefined && this.#turns.get(question) === turn) this.#turns.delete(question)
    }
    turn.answer.then(end, end)
    return turn.answer
  }
}

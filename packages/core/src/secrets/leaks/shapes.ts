/** A secret's value, and what is special about it. */
export interface Shape {
  readonly name: string
  readonly value: string
}

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
const digits = '0123456789'
const marks = ` !"#$%&'()*+,-./:;<=>?@[\\]^_\`{|}~`
const foreign = [...'äßéñЖя中文字🔑🥝\u2028']
const words = ['password', 'production', 'main', 'latest', 'failed', 'succeeded', 'release', 'docker', 'localhost']

/** Secrets of every shape that has its own way to get past a redactor. The same numbers give the same secrets. */
export function shapesFrom(random: () => number): Shape[] {
  const below = (limit: number) => Math.floor(random() * limit)
  const pick = <T>(from: ArrayLike<T>): T => from[below(from.length)] as T // never empty
  const text = (alphabet: ArrayLike<string>, length: number) => Array.from({ length }, () => pick(alphabet)).join('')
  const solid = (length: number) => text(letters + digits, length)
  const inner = solid(6)
  const outer = `${solid(3)}${inner}${solid(5)}`
  return [
    { name: 'four characters', value: text(letters + digits, 3) + pick(digits) },
    { name: 'four marks', value: `${pick(letters)}${text(marks.trim(), 2)}${pick(digits)}` },
    { name: 'a token', value: `ghp_${solid(36)}` },
    { name: 'spaces', value: `${solid(4)} ${solid(5)}  ${solid(3)}` },
    { name: 'quotes', value: `'${solid(3)}''"${solid(3)}\`"${solid(2)}'` },
    { name: 'backslashes', value: `\\${solid(3)}\\\\n${solid(3)}\\u00${solid(2)}\\` },
    { name: 'percents and dollars', value: `%${solid(2)}%2F$${solid(4)}\${HOME}%%$$${solid(2)}` },
    { name: 'all marks', value: solid(2) + shuffled(marks.trim(), below) + solid(2) },
    { name: 'random marks', value: `${solid(1)}${text(marks, 18)}${solid(1)}` },
    { name: 'unicode', value: `${solid(2)}${text(foreign, 6)}${solid(2)}/${text(foreign, 2)}` },
    { name: 'control characters', value: `${solid(3)}\u001b[0m${solid(2)}\u0001\t${solid(2)}\u007f${solid(2)}` },
    { name: 'three lines', value: `${solid(12)}\n${solid(9)} ${text(marks.trim(), 5)}\n\n  ${solid(20)}` },
    { name: 'three lines of DOS', value: `${solid(10)}\r\n${solid(14)}\r\n${solid(7)}\r\n` },
    { name: 'a small private key', value: privateKey(160, solid) },
    { name: 'inside another', value: inner },
    { name: 'around another', value: outer },
    { name: 'beginning of another', value: `${outer}${solid(8)}` },
    { name: 'a common word', value: pick(words) },
    { name: 'digits', value: text(digits, 9) },
    { name: 'repeated', value: pick(letters).repeat(9) + pick(digits) },
    { name: 'a pair', value: `robot:${solid(14)}` },
    { name: 'base64 itself', value: Buffer.from(text(letters + marks, 23)).toString('base64') },
    { name: 'high bits', value: `~?~?${text('~?>\u007f', 12)}${solid(1)}` },
  ]
}

/** A private key of about 4 kB. */
export function longKey(random: () => number): Shape {
  const solid = (length: number) =>
    Array.from({ length }, () => (letters + digits).charAt(Math.floor(random() * 62))).join('')
  return { name: 'a private key of 4 kB', value: privateKey(4_000, solid) }
}

function privateKey(length: number, solid: (length: number) => string): string {
  const body = solid(length).replace(/.{64}(?=.)/g, '$&\n')
  return `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`
}

function shuffled(text: string, below: (limit: number) => number): string {
  const left = [...text]
  return Array.from(text, () => left.splice(below(left.length), 1)[0]).join('')
}

/** What people and attackers put where a name is expected. */
const nasty = [
  ...['', ' ', '-', '--help', '--upload-pack=touch x', '-c', '--exec=id', '--output=x', '$(touch x)', '`touch x`'],
  ...[
    ';touch x',
    '|touch x',
    '&&touch x',
    'a b',
    'a\tb',
    'a\nb',
    'a\r\nb',
    'a\0b',
    'a\u001b[31m',
    'a\u202eb',
    'a\u200bb',
  ],
  ...['..', '../..', 'a/../b', '../../etc/passwd', '\ud800', 'a\\b', 'a*', 'a?', 'a[b', '${HOME}', 'ext::sh -c id'],
]

export const hostileRefs = [
  ...nasty,
  ...[
    'a..b',
    'a//b',
    '/a',
    'a/',
    'a.lock',
    'a.',
    '.',
    '@',
    '@{-1}',
    'main@{1}',
    'HEAD~1',
    'HEAD^',
    'main:file',
    ':/text',
  ],
  ...['+main:evil', '^main', 'refs/heads/*', 'refs/heads/../x', '--git-dir=/', '-o/tmp/x', 'x'.repeat(251)],
]

export const hostileTagRules = [
  ...nasty,
  ...['${NAME}', '${BRANCH', '$BRANCH', '${}', '${__proto__}', '${constructor}', '-${BRANCH}', '.x', 'a:b', 'a/b', 'é'],
  ...['x'.repeat(129), '${'.repeat(999), '${SHORT_SHA}'.repeat(200), '${BRANCH:-x}', '${BRANCH}@sha256:0'],
]

export const hostileArgNames = [
  ...nasty,
  ...['1A', 'A-B', 'A=B', 'A=', '=', 'A\0', 'A\nB', 'é', 'x'.repeat(300), 'A B', '{}', 'A.B'],
]

/** All legal: they are data, and have to arrive as they are. */
export const hostileArgValues = [
  ...nasty.filter((text) => !/[\0\ud800]/.test(text)),
  ...[
    '"; touch x; "',
    "'; touch x; '",
    '\\',
    'a\\\nb',
    '\nRUN touch x',
    '#',
    '# syntax=x',
    '${A}',
    '%s%n',
    'é',
    '<<END',
  ],
]

export const hostileImages = [
  ...nasty,
  ...[
    'UPPER/x',
    'web:',
    'web@',
    'web@sha256:0',
    'a:b:c',
    'http://x/y',
    'user:password@host/x',
    'web:-x',
    'x'.repeat(2_000),
  ],
]

export const hostileNames = [
  ...nasty,
  ...['Web', 'a_b', 'a.b', '-a', 'a-', 'é', 'x'.repeat(64), '__proto__', 'a/b', 'https://a/b', 'web\u0430'],
]

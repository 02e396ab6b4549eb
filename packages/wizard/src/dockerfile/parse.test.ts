import { describe, expect, it } from 'vitest'
import {
  DockerfileSyntaxError,
  type Instruction,
  type Keyword,
  parseDockerfile,
  parseInstruction,
  runCommand,
} from './index.js'

const instructions = (body: string) => parseDockerfile(`FROM base\n${body}`).stages[0]?.instructions ?? []
const keywords = (body: string) => instructions(body).map(({ keyword }) => keyword)

function first<K extends Keyword>(keyword: K, body: string): Extract<Instruction, { keyword: K }> {
  const found = instructions(body).find((instruction) => instruction.keyword === keyword)
  if (found === undefined) throw new Error(`no ${keyword}`)
  return found as Extract<Instruction, { keyword: K }>
}

function refusal(text: string): DockerfileSyntaxError {
  try {
    parseDockerfile(text)
  } catch (error) {
    if (error instanceof DockerfileSyntaxError) return error
    throw error
  }
  throw new Error('the text was taken')
}

describe('lines', () => {
  it('joins continuation lines and leaves out the comments and empty lines among them', () => {
    const dockerfile = parseDockerfile('FROM base\nRUN one \\\n  # note \\\n\n  two \\  \n three\nUSER x\n')
    expect(dockerfile.stages[0]?.instructions).toMatchObject([
      { keyword: 'RUN', command: { form: 'shell', command: 'one   two  three' }, line: 2, endLine: 6 },
      { keyword: 'USER', line: 7 },
    ])
    expect(dockerfile.problems).toMatchObject([{ rule: 'empty-continuation-line', line: 4 }])
  })

  it('does not continue a line that ends in two escape characters', () => {
    expect(keywords('RUN echo foo\\\\\nUSER x')).toEqual(['RUN', 'USER'])
  })

  it('takes an escape character at the end of the file', () => {
    expect(first('RUN', 'RUN echo \\').command).toEqual({ form: 'shell', command: 'echo' })
  })

  it('reads the escape, syntax and check directives, and only at the top', () => {
    const dockerfile = parseDockerfile(
      '# Syntax = docker/dockerfile:1\n# escape=`\n#check=skip=all\nFROM base\nRUN dir c:\\\nRUN a `\n b\n# escape=\\\nUSER x',
    )
    expect(dockerfile).toMatchObject({ escape: '`', directives: { syntax: 'docker/dockerfile:1', check: 'skip=all' } })
    expect(dockerfile.stages[0]?.instructions.map(({ line }) => line)).toEqual([5, 6, 9])
    expect(parseDockerfile('# a comment\n# escape=`\nFROM base').escape).toBe('\\')
  })

  it('takes CRLF, a byte order mark, lower case and indented instructions', () => {
    const dockerfile = parseDockerfile('\uFEFF# escape=`\r\n  from base as Web\r\n\trun a `\r\n b\r\n')
    expect(dockerfile.escape).toBe('`')
    expect(dockerfile.stages[0]).toMatchObject({ name: 'web', base: 'base' })
    expect(dockerfile.stages[0]?.instructions[0]).toMatchObject({
      keyword: 'RUN',
      command: { command: 'a  b' },
      endLine: 4,
    })
  })
})

describe('heredocs', () => {
  it('reads several in one instruction, each with its own rules', () => {
    const copy = first('COPY', 'COPY <<A <<-"B" file /x/\n$v\nA\n\tb\n\tB\nUSER x')
    expect(copy).toMatchObject({ sources: ['file'], destination: '/x/', endLine: 6 })
    expect(copy.heredocs).toEqual([
      { name: 'A', content: '$v\n', expand: true, stripTabs: false },
      { name: 'B', content: '\tb\n', expand: false, stripTabs: true },
    ])
  })

  it.each([
    'RUN cat 3<<EOF\nUSER y\nEOF\nUSER x',
    'RUN cat << EOF\nUSER y\nEOF\nUSER x',
    'ONBUILD RUN <<EOF\nUSER y\nEOF\nUSER x',
  ])('finds the end of %j', (body) => {
    expect(keywords(body)).toEqual([body.startsWith('RUN') ? 'RUN' : 'ONBUILD', 'USER'])
  })

  it.each(['RUN ["<<EOF"]\nUSER x', 'RUN echo "<<EOF"\nUSER x', 'RUN cat <<<EOF\nUSER x', 'LABEL a=<<EOF\nUSER x'])(
    'sees none in %j',
    (body) => {
      expect(keywords(body)).toContain('USER')
    },
  )

  it('ends only at a line that is exactly its name', () => {
    expect(first('RUN', 'RUN <<EOF\n EOF\nEOF \n# text\nEOF').heredocs[0]?.content).toBe(' EOF\nEOF \n# text\n')
    expect(refusal('FROM base\nRUN <<EOF\nx').message).toContain('unterminated heredoc EOF')
  })

  it('runs a lone heredoc as a script or through the shell, and hands a mixed one to the shell as it stands', () => {
    expect(runCommand(first('RUN', 'RUN <<-EOF\n\ta\n\tEOF'))).toEqual({ form: 'shell', command: 'a\n' })
    expect(runCommand(first('RUN', 'RUN <<EOF\n#!/bin/sh\nEOF'))).toEqual({ form: 'script', content: '#!/bin/sh\n' })
    expect(runCommand(first('RUN', 'RUN cat <<A > f\nx\nA'))).toEqual({ form: 'shell', command: 'cat <<A > f\nx\nA' })
    expect(runCommand(first('RUN', 'RUN ["a"]'))).toEqual({ form: 'exec', argv: ['a'] })
  })
})

describe('forms', () => {
  it('takes invalid JSON for shell form, and says so', () => {
    const dockerfile = parseDockerfile("FROM base\nCMD ['a', 'b']\nCMD [ \"a\" ]\nCMD []\nRUN [ -f x ]")
    expect(dockerfile.stages[0]?.instructions).toMatchObject([
      { command: { form: 'shell', command: "['a', 'b']" } },
      { command: { form: 'exec', argv: ['a'] } },
      { command: { form: 'exec', argv: [] } },
      { command: { form: 'shell' } },
    ])
    expect(dockerfile.problems).toMatchObject([{ rule: 'json-like-shell-form', line: 2 }])
  })

  it('keeps quotes and variables in ENV, LABEL and ARG for the expander', () => {
    expect(first('ENV', 'ENV a="b c" d=e\\ f g=\'$h\' "i j"=k=l').pairs).toEqual([
      { name: 'a', value: '"b c"' },
      { name: 'd', value: 'e\\ f' },
      { name: 'g', value: "'$h'" },
      { name: '"i j"', value: 'k=l' },
    ])
    expect(first('ARG', 'ARG a b= c="d e"').pairs).toEqual([
      { name: 'a' },
      { name: 'b', value: '' },
      { name: 'c', value: '"d e"' },
    ])
  })

  it('reads the old ENV form to the end of the line, and says it is old', () => {
    const dockerfile = parseDockerfile('FROM base\nENV a b=c  d\nENV e=f')
    expect(dockerfile.stages[0]?.instructions[0]).toMatchObject({ pairs: [{ name: 'a', value: 'b=c  d' }] })
    expect(dockerfile.problems).toMatchObject([{ rule: 'legacy-key-value', line: 2 }])
  })

  it('types the flags of COPY and ADD', () => {
    expect(
      first('COPY', 'COPY --from=x --chown=1:2 --chmod=u=rwX --link --parents=false --exclude=a --exclude=b s d'),
    ).toMatchObject({
      from: 'x',
      chown: '1:2',
      chmod: 'u=rwX',
      link: true,
      parents: false,
      exclude: ['a', 'b'],
      sources: ['s'],
      destination: 'd',
    })
    const add = first('ADD', 'ADD --checksum=sha256:0 --keep-git-dir --unpack=false ["a b", "/c d/"]')
    expect(add).toMatchObject({
      checksum: 'sha256:0',
      keepGitDir: true,
      unpack: false,
      sources: ['a b'],
      destination: '/c d/',
    })
    expect(first('ADD', 'ADD a b').unpack).toBeUndefined()
  })

  it('types RUN mounts, resolving aliases, and stops at --', () => {
    const run = first(
      'RUN',
      'RUN --mount=type=cache,dst=/c,\\"id=a,b\\",ro --mount=source=x,target=/y --network=none -- --flag x',
    )
    expect(run.mounts).toEqual([
      { type: 'cache', target: '/c', id: 'a,b', readonly: 'true' },
      { type: 'bind', source: 'x', target: '/y' },
    ])
    expect(run).toMatchObject({ network: 'none', command: { form: 'shell', command: '--flag x' } })
  })

  it('types HEALTHCHECK with its times', () => {
    expect(
      first('HEALTHCHECK', 'HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=0 --retries=3 CMD ["a"]'),
    ).toMatchObject({
      test: { form: 'exec', argv: ['a'] },
      intervalMs: 90_000,
      timeoutMs: 500,
      startPeriodMs: 0,
      retries: 3,
    })
    expect(first('HEALTHCHECK', 'HEALTHCHECK none').test).toBe('none')
  })

  it('types what an ONBUILD triggers', () => {
    expect(first('ONBUILD', 'ONBUILD COPY --from=x a b').trigger).toMatchObject({
      keyword: 'COPY',
      from: 'x',
      text: 'COPY --from=x a b',
    })
    expect(parseInstruction('COPY --from=x a b')).toMatchObject({ keyword: 'COPY', from: 'x' })
  })

  it('keeps the ARGs before the first FROM apart', () => {
    const dockerfile = parseDockerfile('ARG V=1\nFROM --platform=$BUILDPLATFORM a:$V\nARG V\n')
    expect(dockerfile.globalArgs).toMatchObject([{ pairs: [{ name: 'V', value: '1' }] }])
    expect(dockerfile.stages[0]).toMatchObject({
      base: 'a:$V',
      platform: '$BUILDPLATFORM',
      line: 2,
      instructions: [{ keyword: 'ARG' }],
    })
  })
})

describe('refusals', () => {
  it.each([
    ['', 'no instructions'],
    ['# only a comment\n', 'no instructions'],
    ['ARG a', 'no FROM'],
    ['RUN x\nFROM base', 'before the first FROM'],
    ['FROM', 'FROM needs an image'],
    ['FROM scratch AS', 'FROM takes'],
    ['FROM a b', 'FROM takes'],
    ['FROM a AS 1st', 'invalid stage name'],
    ['FROM a\nRUNN x', 'unknown instruction RUNN'],
    ['FROM a\nENV x', 'ENV x has no value'],
    ['FROM a\nENV a=b c', 'without a ='],
    ['FROM a\nCOPY x', 'source and a destination'],
    ['FROM a\nCOPY --form=x a b', 'unknown flag --form'],
    ['FROM a\nCOPY --from a b', '--from has no value'],
    ['FROM a\nCOPY --chown=1 --chown=2 a b', 'given twice'],
    ['FROM a\nCOPY --link=maybe a b', 'neither true nor false'],
    ['FROM a\nCOPY --from=$x a b', 'takes no variables'],
    ['FROM a\nCMD --x y', 'unknown flag --x'],
    ['FROM a\nCMD ["a", 1]', 'not of strings only'],
    ['FROM a\nCOPY a <<EOF\nEOF', 'heredoc as its destination'],
    ['FROM a\nRUN --mount=type=bindd x', 'unknown mount type'],
    ['FROM a\nRUN --mount=typ=bind x', 'unknown key typ'],
    ['FROM a\nSHELL bash', 'SHELL needs a JSON array'],
    ['FROM a\nHEALTHCHECK --interval=5 CMD x', 'no duration'],
    ['FROM a\nHEALTHCHECK GET /', 'HEALTHCHECK needs CMD'],
    ['FROM a\nONBUILD ONBUILD RUN x', 'cannot be chained'],
    ['FROM a\nONBUILD FROM b', 'cannot have FROM'],
    ['FROM a\nVOLUME [""]', 'empty path'],
    ['FROM a\nWORKDIR', 'WORKDIR needs an argument'],
    ['# escape=x\nFROM a', 'invalid escape character'],
    ['# escape=`\n# escape=`\nFROM a', 'only one escape directive'],
  ])('refuses %j', (text, message) => {
    const error = refusal(text)
    expect(error.message).toContain(message)
    expect(error.hint).not.toBe('')
  })

  it('points at the place', () => {
    expect(refusal('FROM a\nCOPY \\\n   --form=x a b')).toMatchObject({ line: 3, column: 4 })
    expect(refusal('FROM a\n\n  RUNN x')).toMatchObject({ line: 3, column: 3 })
  })
})

const context = {
  'package.json': '{}',
  'src/index.js': 'index',
  'src/deep/er/x': 'x',
  'src/skip.log': 'log',
  'src/run.sh': { text: '#!/bin/sh\n', mode: 0o755 },
}
const from = 'FROM busybox:1.36\n'

/** @param {string} name @param {string} trap @param {string} lines @param {import('../entry.mjs').Entry['files']} [files] */
const entry = (name, trap, lines, files = context) => ({ name, trap, dockerfile: `${from}${lines}\n`, files })

/**
 * COPY, ADD and .dockerignore.
 * @type {readonly import('../entry.mjs').Entry[]}
 */
export const files = [
  entry('copy-file-to-directory', 'a trailing slash', 'COPY package.json /made/'),
  entry('copy-file-rename', 'no trailing slash', 'COPY package.json /made/name'),
  entry('copy-directory', 'its contents', 'COPY src /a\nCOPY src/ /b/\nCOPY . /c'),
  entry('copy-several', 'several need a directory', 'COPY package.json src/index.js /a/'),
  entry('copy-several-no-slash', 'several without a slash', 'COPY package.json src/index.js /a'),
  entry('copy-missing', 'a source that is not there', 'COPY nothing /a'),
  entry('copy-wildcard', 'a wildcard', 'COPY src/*.js /a/\nCOPY s?c/[a-i]*.js /b/'),
  entry('copy-wildcard-directory', 'a wildcard that finds directories', 'COPY s* /a/'),
  entry('copy-wildcard-none', 'a wildcard that finds nothing', 'COPY *.nothing /a/'),
  entry('copy-wildcard-escaped', 'a bracket that is meant', 'COPY arr[[]0].txt /a/', {
    'arr[0].txt': 'x',
    'arr0.txt': 'y',
  }),
  entry('copy-json', 'names with blanks', 'COPY ["a b", "/c d/"]', { 'a b': 'x' }),
  entry('copy-parent-clipped', '.. ends at the context', 'COPY ../package.json /a'),
  entry('copy-symlink', 'a symlink itself and below a directory', 'COPY link /a/\nCOPY d /b', {
    target: 't',
    link: { symlink: 'target' },
    'd/in': { symlink: '../target' },
    'd/dangling': { symlink: 'nowhere' },
  }),
  entry('copy-symlink-directory', 'a symlink to a directory', 'COPY link /a', { 'd/x': 'x', link: { symlink: 'd' } }),
  entry('copy-symlink-outside', 'a symlink out of the context', 'COPY link /a', { link: { symlink: '/etc/passwd' } }),
  entry(
    'copy-to-symlink',
    'a destination through a symlink',
    'RUN mkdir /real && ln -s real /link\nCOPY package.json /link/\nCOPY src /link',
  ),
  entry(
    'copy-to-file-symlink',
    'a destination that is a symlink to a file',
    'RUN echo old > /real && ln -s real /link\nCOPY package.json /link',
  ),
  entry(
    'copy-to-absolute-symlink',
    'an absolute symlink stays in the image',
    'RUN mkdir /real && ln -s /real /link\nCOPY package.json /link/x/',
  ),
  entry(
    'copy-over-file',
    'a file over a file',
    'RUN echo old > /f && chmod 600 /f && chown 5 /f\nCOPY package.json /f',
  ),
  entry('copy-directory-over-file', 'a directory where a file is', 'RUN echo old > /f\nCOPY src /f'),
  entry(
    'copy-file-over-directory',
    'a file where a directory is',
    'RUN mkdir /package.json\nCOPY package.json /package.json',
  ),
  entry(
    'copy-inner-over',
    'a directory of the context over a file of the image',
    'RUN mkdir -p /d && echo old > /d/deep\nCOPY src /d',
  ),
  entry('copy-keeps-directory-mode', 'a directory that is there', 'RUN mkdir -m 700 /d && chown 5:6 /d\nCOPY src /d/'),
  entry('copy-modes', 'modes of files are kept', 'COPY . /a', {
    x: { text: 'x', mode: 0o600 },
    y: { text: 'y', mode: 0o777 },
    'd/': { mode: 0o700 },
    'd/z': 'z',
  }),
  entry('copy-special-bits', 'set-uid, set-gid and sticky', 'COPY . /a', {
    s: { text: 'x', mode: 0o4755 },
    g: { text: 'y', mode: 0o2755 },
    't/': { mode: 0o1777 },
  }),
  entry('copy-hard-links', 'hard links of the context', 'COPY a b /d/', { a: 'x', b: { hardlink: 'a' } }),
  entry('copy-empty-directory', 'an empty directory', 'COPY . /a', { 'empty/': '', x: 'x' }),
  entry('copy-long-name', 'names longer than a header holds', 'COPY . /a', {
    [`${'d'.repeat(120)}/${'f'.repeat(200)}`]: 'x',
    [`l${'n'.repeat(90)}`]: { symlink: 't'.repeat(180) },
  }),
  entry('copy-unicode', 'names beyond ASCII', 'COPY . /a', { 'grüße/日本': 'x' }),
  entry('copy-workdir', 'a relative destination', 'WORKDIR /w\nCOPY package.json .\nCOPY package.json ./x/'),
  entry('copy-variable', 'variables in both', 'ARG S=src\nENV D=/dd\nCOPY $S/index.js ${D}/'),
  entry('copy-chown-numbers', 'owner and group', 'COPY --chown=5:6 src /made/a'),
  entry('copy-chown-user-alone', 'the group is the number of the user', 'COPY --chown=5 package.json /a'),
  entry(
    'copy-chown-name',
    'names of the image',
    'RUN echo "u:x:1000:1001::/:/bin/sh" >> /etc/passwd && echo "g:x:77:" >> /etc/group\nCOPY --chown=u:g package.json /a\nCOPY --chown=u package.json /b',
  ),
  entry('copy-chown-unknown', 'a name nobody has', 'COPY --chown=nobody-here package.json /a'),
  entry('copy-user', 'USER does not own what is copied', 'USER 5:6\nCOPY package.json /made/a'),
  entry('copy-chmod-octal', 'octal', 'COPY --chmod=701 src /a'),
  entry('copy-chmod-symbolic', 'symbolic', 'COPY --chmod=u=rwX,go=rX src /a'),
  entry('copy-chmod-wrong', 'no mode', 'COPY --chmod=many src /a'),
  entry('copy-link', 'a layer of its own', 'COPY --link package.json /a/b'),
  entry(
    'copy-link-symlink',
    'never follows links of the image',
    'RUN mkdir /real && ln -s real /link\nCOPY --link package.json /link/x',
  ),
  entry('copy-exclude', 'excluded paths', 'COPY --exclude=*.log --exclude=deep src /a'),
  entry('copy-parents', 'refused by name', 'COPY --parents src/deep/er/x /a/'),
  entry('ignore-plain', 'one level only', 'COPY . /a', { ...context, '.dockerignore': '*.log\n*.json\n' }),
  entry('ignore-any-depth', 'two stars', 'COPY . /a', { ...context, '.dockerignore': '**/*.log\n' }),
  entry('ignore-except', 'back in under an ignored directory', 'COPY . /a', {
    ...context,
    '.dockerignore': 'src\n!src/deep\n',
  }),
  entry('ignore-last-wins', 'the last one that matches', 'COPY . /a', {
    ...context,
    '.dockerignore': '!src/index.js\nsrc\n!src/skip.log\n',
  }),
  entry('ignore-comments', 'comments, blanks, slashes', 'COPY . /a', {
    ...context,
    '.dockerignore': '# c\n\n  /src/deep/  \n./package.json\n',
  }),
  entry('ignore-everything', 'nothing but what is named', 'COPY . /a', {
    ...context,
    '.dockerignore': '*\n!src/index.js\n',
  }),
  entry('ignore-dockerfile', 'Dockerfile and .dockerignore ignored', 'COPY . /a', {
    ...context,
    '.dockerignore': 'Dockerfile\n.dockerignore\n',
  }),
  entry('ignore-copied-source', 'a source that is ignored', 'COPY package.json /a', {
    ...context,
    '.dockerignore': 'package.json\n',
  }),
  entry('ignore-of-dockerfile', 'the Dockerfile’s own', 'COPY . /a', {
    ...context,
    '.dockerignore': 'src\n',
    'Dockerfile.dockerignore': 'package.json\n',
  }),
  entry('ignore-question-mark', 'one character', 'COPY . /a', { ab: '1', ac: '2', b: '3', '.dockerignore': 'a?\n' }),
  entry('add-file', 'as COPY does', 'ADD package.json src/index.js /a/'),
  entry('add-archive', 'unpacked', 'ADD a.tar /a/', {
    'a.tar': { archive: { 'x/y': 'y', l: { symlink: 'x' }, s: { text: 's', mode: 0o4711 } } },
  }),
  entry('add-archive-gzip', 'by content, not by name', 'ADD a.bin /a/', {
    'a.bin': { archive: { x: 'x' }, compress: 'gzip' },
  }),
  entry('add-archive-bzip2', 'bzip2', 'ADD a.tbz /a/', { 'a.tbz': { archive: { x: 'x' }, compress: 'bzip2' } }),
  entry('add-archive-xz', 'xz', 'ADD a.txz /a', { 'a.txz': { archive: { x: 'x' }, compress: 'xz' } }),
  entry('add-archive-fake', 'a name alone makes no archive', 'ADD a.tar /a/', { 'a.tar': 'no archive' }),
  entry('add-archive-chown', 'owner of what is unpacked', 'ADD --chown=5:6 a.tar /a/', {
    'a.tar': { archive: { 'd/x': 'x' } },
  }),
  entry('add-archive-keeps-mode', 'a directory that is there', 'RUN mkdir -m 700 /d\nADD a.tar /d/', {
    'a.tar': { archive: { x: 'x' } },
  }),
  entry('add-archive-hard-link', 'hard links in it', 'ADD a.tar /a/', {
    'a.tar': { archive: { x: 'x', y: { hardlink: 'x' } } },
  }),
  entry('copy-archive', 'COPY unpacks nothing', 'COPY a.tar /a/', { 'a.tar': { archive: { x: 'x' } } }),
  entry(
    'copy-heredoc',
    'a file in the Dockerfile',
    "ENV V=v\nCOPY <<EOF /a\nhello $V\nEOF\nCOPY <<'EOF' /b\nhello $V\nEOF",
  ),
  entry('copy-heredoc-tabs', 'tabs cut, several', 'COPY <<-ONE <<TWO /d/\n\t\tone\n\tONE\ntwo\nTWO'),
  entry('copy-heredoc-chmod', 'with a mode', 'COPY --chmod=755 --chown=5 <<EOF /x\n#!/bin/sh\nEOF'),
  entry('add-heredoc', 'ADD as well', 'ADD <<EOF /a/b\nx\nEOF'),
]

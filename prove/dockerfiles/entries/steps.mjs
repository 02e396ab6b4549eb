const from = 'FROM busybox:1.36\n'
const old = `${from}RUN mkdir -p /d/sub && echo 1 > /d/one && echo 2 > /d/sub/two && echo f > /f && ln -s f /l\n`

/** @param {string} name @param {string} trap @param {string} dockerfile @param {Partial<import('../entry.mjs').Entry>} [more] */
const entry = (name, trap, dockerfile, more = {}) => ({ name, trap, dockerfile: `${dockerfile}\n`, ...more })

/**
 * RUN, stages, and what layers must say of it.
 * @type {readonly import('../entry.mjs').Entry[]}
 */
export const steps = [
  entry('run-shell', 'shell form', `${from}RUN echo $((1 + 2)) > /x`),
  entry(
    'run-exec',
    'exec form expands nothing',
    `${from}ENV A=1\nRUN ["/bin/sh", "-c", "echo $A > /x"]\nRUN ["touch", "/$A"]`,
  ),
  entry('run-fails', 'a command that fails', `${from}RUN echo no >&2; exit 3`),
  entry('run-missing-command', 'a command that is not there', `${from}RUN ["/nothing"]`),
  entry('run-nothing-changed', 'a layer without files', `${from}RUN true\nENV A=1`),
  entry(
    'run-environment',
    'what a step sees',
    `${from}ENV A=1\nRUN env | grep -v -e ^HOSTNAME -e ^SHLVL | sort > /env`,
  ),
  entry(
    'run-user',
    'user, home and groups',
    `${from}RUN echo "u:x:1000:1001::/home/u:/bin/sh" >> /etc/passwd && echo "g:x:77:u" >> /etc/group\nUSER u\nRUN (id -u; id -g; id -G; echo $HOME) > /tmp/id`,
  ),
  entry(
    'run-user-numbers',
    'numbers that nobody has',
    `${from}USER 5:6\nRUN (id -u; id -g; id -G; echo $HOME) > /tmp/id`,
  ),
  entry(
    'run-user-group',
    'a group of the image',
    `${from}RUN echo "g:x:77:" >> /etc/group\nUSER root:g\nRUN id -g > /id && touch /x`,
  ),
  entry('run-user-missing', 'a user who is not there', `${from}USER nobody-here\nRUN true`),
  entry('run-umask', 'the umask', `${from}RUN umask > /x && mkdir /d`),
  entry('run-stdin', 'no input', `${from}RUN cat > /x`),
  entry('run-workdir', 'where it runs', `${from}WORKDIR /w\nRUN pwd > p`),
  entry('run-heredoc', 'several lines', `${from}RUN <<EOF\necho 1 > /one\necho "$HOME" > /two\nEOF`),
  entry('run-heredoc-input', 'as input of a command', `${from}RUN cat <<EOF > /x\nhello $HOME\nEOF`),
  entry(
    'run-heredoc-shebang',
    'its own interpreter',
    `${from}RUN <<EOF\n#!/bin/ash -e\necho $0 > /dev/null; echo x > /x\nEOF`,
  ),
  entry('run-heredoc-quoted', 'a quoted word', `${from}RUN <<'EOF'\nA=1; echo "$A" > /x\nEOF`),
  entry('run-heredoc-fails', 'the last command counts', `${from}RUN <<EOF\nfalse\necho x > /x\nEOF`),
  entry(
    'run-mount-cache',
    'a cache is in no layer',
    `${from}RUN --mount=type=cache,target=/cache echo x > /cache/x && cat /cache/x > /y`,
  ),
  entry('run-mount-bind', 'the context', `${from}RUN --mount=type=bind,source=a,target=/mnt/a cat /mnt/a > /y`, {
    files: { a: 'a' },
  }),
  entry(
    'run-mount-bind-from',
    'another stage',
    `${from.trim()} AS one\nRUN echo 1 > /one\n${from}RUN --mount=from=one,target=/mnt cat /mnt/one > /y`,
  ),
  entry(
    'run-mount-bind-write',
    'what is written is lost',
    `${from}RUN --mount=type=bind,target=/mnt,rw echo 1 > /mnt/x && cp /mnt/x /y`,
    { files: { a: 'a' } },
  ),
  entry(
    'run-mount-bind-read-only',
    'read only unless said',
    `${from}RUN --mount=type=bind,target=/mnt echo 1 > /mnt/x`,
    { files: { a: 'a' } },
  ),
  entry('run-mount-tmpfs', 'is in no layer', `${from}RUN --mount=type=tmpfs,target=/t echo 1 > /t/x && ls /t > /y`),
  entry(
    'run-mount-secret-missing',
    'one that need not be',
    `${from}RUN --mount=type=secret,id=s test ! -e /run/secrets/s`,
  ),
  entry('run-mount-secret-required', 'one that must be', `${from}RUN --mount=type=secret,id=s,required=true true`),
  entry('run-mount-unknown', 'a type that is none', `${from}RUN --mount=type=wish,target=/x true`),
  entry('run-network-none', 'no network', `${from}RUN --network=none ls /sys/class/net > /x`),
  entry('layer-delete-file', 'a whiteout', `${old}RUN rm /f /l`),
  entry('layer-delete-directory', 'a whiteout for the whole', `${old}RUN rm -r /d`),
  entry('layer-file-for-directory', 'a file where a directory was', `${old}RUN rm -r /d && echo x > /d`),
  entry('layer-directory-for-file', 'a directory where a file was', `${old}RUN rm /f && mkdir /f && echo x > /f/x`),
  entry('layer-opaque', 'a directory made anew', `${old}RUN rm -r /d && mkdir /d && echo 3 > /d/three`),
  entry('layer-opaque-inner', 'an inner directory made anew', `${old}RUN rm -r /d/sub && mkdir -m 700 /d/sub`),
  entry('layer-made-and-removed', 'what was there for one step only', `${from}RUN echo x > /x && rm /x`),
  entry('layer-rename-directory', 'a directory renamed', `${old}RUN mv /d /e`),
  entry('layer-mode-only', 'a changed mode alone', `${old}RUN chmod 600 /f && chown 5:6 /d`),
  entry('layer-touch', 'a time alone', `${old}RUN touch -d 2001-01-01 /f`),
  entry('layer-hard-links', 'two names of one file', `${from}RUN echo x > /x && ln /x /y && mkdir /z && ln /x /z/x`),
  entry('layer-hard-link-to-lower', 'a name for a file of a lower layer', `${old}RUN ln /f /g`),
  entry('layer-special-bits', 'set-uid and sticky', `${from}RUN echo x > /x && chmod 6755 /x && mkdir -m 1777 /s`),
  entry('layer-fifo', 'a named pipe', `${from}RUN mkfifo /p`),
  entry('layer-symlinks', 'of all kinds', `${from}RUN ln -s /nowhere /a && ln -s ../../x /b && ln -s . /c`),
  entry('layer-symlink-owner', 'the owner of a symlink', `${from}RUN ln -s x /a && chown -h 5:6 /a`),
  entry(
    'layer-dev-and-tmp',
    'what a step leaves in /dev, /proc, /tmp',
    `${from}RUN echo x > /dev/shm/x; echo y > /tmp/y`,
  ),
  entry('layer-hosts', 'files that the builder lends', `${from}RUN test -e /etc/resolv.conf && test -e /etc/hosts`),
  entry('layer-copy-then-delete', 'a copied file deleted', `${from}COPY a b /d/\nRUN rm /d/a`, {
    files: { a: 'a', b: 'b' },
  }),
  entry('layer-big-number', 'owners beyond seven octal digits', `${from}RUN echo x > /x && chown 3000000:4000000 /x`),
  entry('layer-many-files', 'many at once', `${from}RUN mkdir /m && for i in $(seq 1 500); do echo $i > /m/$i; done`),
  entry(
    'layer-whiteout-odd-names',
    'odd names',
    `${from}RUN mkdir "/a b" && echo x > "/a b/c" && echo x > "/-x" && echo x > "/.hidden"\nRUN rm "/a b/c" /-x /.hidden`,
  ),
  entry(
    'stage-copy-from',
    'by name and number',
    `${from.trim()} AS One\nRUN echo 1 > /one\n${from}COPY --from=one /one /a\nCOPY --from=0 /one /b`,
  ),
  entry('stage-copy-from-image', 'an image', 'FROM scratch\nCOPY --from=busybox:1.36 /etc/passwd /p'),
  entry(
    'stage-copy-from-directory',
    'links and owners are kept',
    `${from.trim()} AS one\nRUN mkdir /o && echo x > /o/x && ln -s x /o/l && chown -R 5:6 /o && chmod 700 /o\n${from}COPY --from=one /o /o\nCOPY --from=one /o/l /l`,
  ),
  entry(
    'stage-copy-from-hard-links',
    'hard links',
    `${from.trim()} AS one\nRUN mkdir /o && echo x > /o/x && ln /o/x /o/y\n${from}COPY --from=one /o /o`,
  ),
  entry(
    'stage-copy-from-missing',
    'a path that is not there',
    `${from.trim()} AS one\n${from}COPY --from=one /nothing /a`,
  ),
  entry('stage-copy-from-later', 'a stage that comes later', `${from}COPY --from=two /one /a\n${from.trim()} AS two`),
  entry(
    'stage-copy-from-escape',
    'symlinks of a stage end in it',
    `${from.trim()} AS one\nRUN ln -s /../../etc /e\n${from}COPY --from=one /e/passwd /p`,
  ),
  entry(
    'stage-target',
    'a target in the middle',
    `${from.trim()} AS one\nENV A=1\nFROM one AS two\nENV B=2\nFROM two\nENV C=3`,
    { target: 'two' },
  ),
  entry('stage-target-number', 'by number', `${from}ENV A=1\n${from}ENV B=2`, { target: '0' }),
  entry('stage-target-missing', 'none of that name', `${from}ENV A=1`, { target: 'nothing' }),
  entry('stage-unused-fails', 'a stage that nobody needs', `${from.trim()} AS one\nRUN false\n${from}ENV A=1`),
  entry(
    'stage-same-name',
    'two of one name',
    `${from.trim()} AS one\nENV A=1\n${from.trim()} AS one\nENV A=2\nFROM one`,
  ),
  entry(
    'stage-inherits',
    'settings of the stage below',
    `${from.trim()} AS one\nENV A=1\nWORKDIR /w\nUSER 5\nSHELL ["/bin/ash", "-c"]\nFROM one\nRUN echo $A > /tmp/x\nCMD x`,
  ),
  entry('stage-platform', 'the platform of the builder', 'FROM --platform=$BUILDPLATFORM busybox:1.36\nENV A=1'),
  entry(
    'stage-variable-name',
    'a stage named by an argument',
    `ARG WHICH=one\n${from.trim()} AS one\nENV A=1\n${from.trim()} AS two\nENV A=2\nFROM \${WHICH}`,
    { args: { WHICH: 'two' } },
  ),
  entry('stage-scratch-run', 'nothing to run with', 'FROM scratch\nRUN true'),
  entry('stage-missing-image', 'an image that is not there', 'FROM nothing-of-this-name:1\nENV A=1'),
]

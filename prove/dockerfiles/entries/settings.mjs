/**
 * Instructions that only set what the image says of itself, and how variables and words are read.
 * @type {readonly import('../entry.mjs').Entry[]}
 */
export const settings = [
  {
    name: 'from-scratch-copy',
    trap: 'an image without a base',
    dockerfile: 'FROM scratch\nCOPY a /a\n',
    files: { a: 'a' },
  },
  { name: 'base-alone', trap: 'a Dockerfile of FROM alone changes nothing', dockerfile: 'FROM busybox:1.36\n' },
  {
    name: 'env-forms',
    trap: 'both forms, quotes, escaped spaces',
    dockerfile: 'FROM busybox:1.36\nENV A=1 B="two words" C=it\\ is D=\'$A\' E="a\\"b"\nENV F the rest  of it\n',
  },
  {
    name: 'env-sees-before',
    trap: 'one instruction sees the values before it',
    dockerfile: 'FROM busybox:1.36\nENV abc=hello\nENV abc=bye def=$abc\nENV ghi=$abc\n',
  },
  {
    name: 'env-order',
    trap: 'a changed value keeps its place',
    dockerfile: 'FROM busybox:1.36\nENV A=1 B=2 C=3\nENV A=4\n',
  },
  {
    name: 'env-empty',
    trap: 'a variable with an empty value is there',
    dockerfile: 'FROM busybox:1.36\nENV A=\nENV B=${A:-none} C=${A-unset} D=${A:+set} E=${A+there}\n',
  },
  {
    name: 'env-defaults',
    trap: 'nested defaults',
    dockerfile: 'FROM busybox:1.36\nENV X=x\nENV A=${NO:-${X}y} B=${X:+${X}${X}} C=${NO:-a b}\n',
  },
  {
    name: 'env-escapes',
    trap: 'an escaped dollar is a dollar',
    dockerfile: 'FROM busybox:1.36\nENV X=x\nENV A=\\$X B=\\${X} C="\\$X" D=\'\\$X\' E=$Xy F=${X}y\n',
  },
  {
    name: 'env-prefix-removal',
    trap: '# and % cut prefixes and suffixes',
    dockerfile: 'FROM busybox:1.36\nENV P=foobarfoobaz\nENV A=${P#f*b} B=${P##f*b} C=${P%b*} D=${P%%b*}\n',
  },
  {
    name: 'env-replacement',
    trap: '/ and // replace',
    dockerfile: 'FROM busybox:1.36\nENV P=foobarfoobaz\nENV A=${P/foo/x} B=${P//foo/x}\n',
  },
  {
    name: 'arg-global',
    trap: 'a global ARG must be declared again',
    dockerfile: 'ARG V=1.36\nFROM busybox:${V}\nENV A=[$V]\nARG V\nENV B=[$V]\n',
  },
  {
    name: 'arg-given',
    trap: 'a given value wins over the default',
    dockerfile: 'FROM busybox:1.36\nARG V=1\nENV A=$V\nARG W\nENV B=$W\n',
    args: { V: '2', W: '3' },
  },
  {
    name: 'arg-env-wins',
    trap: 'ENV wins over ARG',
    dockerfile: 'FROM busybox:1.36\nARG V=arg\nENV V=env\nARG V=later\nENV A=$V\n',
    args: { V: 'given' },
  },
  {
    name: 'arg-global-default-local',
    trap: 'a default of the stage wins over the global one',
    dockerfile: 'ARG V=global\nFROM busybox:1.36\nARG V=local\nENV A=$V\n',
  },
  {
    name: 'arg-in-run',
    trap: 'RUN sees arguments as variables',
    dockerfile: 'FROM busybox:1.36\nARG V=one\nRUN echo "$V" > /v\n',
    args: { V: 'two' },
  },
  {
    name: 'arg-out-of-scope',
    trap: 'an argument ends with its stage',
    dockerfile:
      'FROM busybox:1.36 AS one\nARG V=1\nRUN echo $V > /v\nFROM busybox:1.36\nENV A=[$V]\nCOPY --from=one /v /v\n',
  },
  {
    name: 'arg-of-parent-stage',
    trap: 'a stage on a stage inherits its arguments',
    dockerfile: 'FROM busybox:1.36 AS one\nARG V=1\nFROM one\nENV A=[$V]\n',
  },
  { name: 'arg-several', trap: 'several in one ARG', dockerfile: 'FROM busybox:1.36\nARG A=1 B=2 C\nENV X=$A$B$C\n' },
  {
    name: 'arg-platform',
    trap: 'TARGET and BUILD arguments must be declared',
    dockerfile:
      'FROM busybox:1.36\nENV A=[$TARGETARCH]\nARG TARGETARCH\nARG TARGETOS\nARG BUILDPLATFORM\nENV B=$TARGETOS/$TARGETARCH C=$BUILDPLATFORM\n',
  },
  {
    name: 'arg-proxy',
    trap: 'proxies need no declaration and stay out of the history',
    dockerfile: 'FROM busybox:1.36\nRUN echo "$http_proxy" > /p\n',
    args: { http_proxy: 'http://127.0.0.1:9' },
  },
  { name: 'cmd-shell', trap: 'shell form', dockerfile: 'FROM busybox:1.36\nCMD echo "$HOME"  two\n' },
  { name: 'cmd-exec', trap: 'exec form', dockerfile: 'FROM busybox:1.36\nCMD ["echo", "a b", "\\u0041"]\n' },
  {
    name: 'cmd-broken-json',
    trap: 'what is no JSON is a shell command',
    dockerfile: "FROM busybox:1.36\nCMD ['echo', 'x']\n",
  },
  { name: 'cmd-empty', trap: 'an empty list', dockerfile: 'FROM busybox:1.36\nCMD []\n' },
  {
    name: 'entrypoint-clears-base-cmd',
    trap: 'ENTRYPOINT clears the CMD of the base',
    dockerfile: 'FROM busybox:1.36\nENTRYPOINT ["echo"]\n',
  },
  {
    name: 'entrypoint-keeps-own-cmd',
    trap: 'ENTRYPOINT keeps a CMD of this stage',
    dockerfile: 'FROM busybox:1.36\nCMD ["x"]\nENTRYPOINT ["echo"]\n',
  },
  {
    name: 'entrypoint-stage-cmd',
    trap: 'the CMD of the stage below is an inherited one',
    dockerfile: 'FROM busybox:1.36 AS one\nCMD ["x"]\nFROM one\nENTRYPOINT ["echo"]\n',
  },
  { name: 'entrypoint-shell', trap: 'shell form', dockerfile: 'FROM busybox:1.36\nENTRYPOINT exec top -b\n' },
  {
    name: 'shell-changes-forms',
    trap: 'SHELL concerns what follows',
    dockerfile: 'FROM busybox:1.36\nCMD one\nSHELL ["/bin/ash", "-e", "-c"]\nENTRYPOINT two\nRUN echo $0 > /shell\n',
  },
  { name: 'shell-string', trap: 'SHELL takes JSON only', dockerfile: 'FROM busybox:1.36\nSHELL /bin/ash\n' },
  { name: 'user-forms', trap: 'variables in USER', dockerfile: 'FROM busybox:1.36\nARG U=1000\nUSER ${U}:${U}\n' },
  {
    name: 'user-unknown-name',
    trap: 'a name that nobody looked up',
    dockerfile: 'FROM busybox:1.36\nUSER nobody-here\n',
  },
  {
    name: 'workdir-chain',
    trap: 'relative to the one before',
    dockerfile: 'FROM busybox:1.36\nWORKDIR /a\nWORKDIR b\nWORKDIR ../c\nRUN pwd > /pwd\n',
  },
  {
    name: 'workdir-variables',
    trap: 'variables, dots and slashes',
    dockerfile: 'FROM busybox:1.36\nENV D=/x/./y//z\nWORKDIR $D/../w/\n',
  },
  {
    name: 'workdir-relative-first',
    trap: 'relative to the root',
    dockerfile: 'FROM busybox:1.36\nWORKDIR app\nCOPY a .\n',
    files: { a: 'a' },
  },
  {
    name: 'workdir-user',
    trap: 'the owner of a made directory',
    dockerfile: 'FROM busybox:1.36\nRUN echo "u:x:1000:1000::/:/bin/sh" >> /etc/passwd\nUSER u\nWORKDIR /made/by/u\n',
  },
  {
    name: 'workdir-exists',
    trap: 'a directory that is there keeps its mode',
    dockerfile: 'FROM busybox:1.36\nRUN mkdir /d && chmod 700 /d && chown 5:6 /d\nWORKDIR /d\n',
  },
  {
    name: 'workdir-through-link',
    trap: 'a symlink on the way',
    dockerfile: 'FROM busybox:1.36\nRUN mkdir /real && ln -s real /link\nWORKDIR /link/sub\n',
  },
  {
    name: 'expose-forms',
    trap: 'ranges and protocols',
    dockerfile: 'FROM busybox:1.36\nEXPOSE 80 81/udp 90-92 100-101/UDP\n',
  },
  { name: 'expose-variable', trap: 'variables', dockerfile: 'FROM busybox:1.36\nENV P=8080\nEXPOSE $P/tcp ${P}1\n' },
  { name: 'expose-wrong', trap: 'no port', dockerfile: 'FROM busybox:1.36\nEXPOSE http\n' },
  {
    name: 'volume-forms',
    trap: 'JSON and words',
    dockerfile: 'FROM busybox:1.36\nVOLUME ["/a", "/b c"]\nVOLUME /d /e\n',
  },
  {
    name: 'volume-later-run',
    trap: 'what a RUN writes into a volume later',
    dockerfile: 'FROM busybox:1.36\nRUN mkdir /d && echo 1 > /d/one\nVOLUME /d\nRUN echo 2 > /d/two\n',
  },
  {
    name: 'volume-later-copy',
    trap: 'what a COPY writes into a volume later',
    dockerfile: 'FROM busybox:1.36\nVOLUME /d\nCOPY a /d/\n',
    files: { a: 'a' },
  },
  {
    name: 'healthcheck-shell',
    trap: 'shell form and options',
    dockerfile:
      'FROM busybox:1.36\nHEALTHCHECK --interval=5m --timeout=3s --retries=4 --start-period=1m30s CMD test -f /x || exit 1\n',
  },
  { name: 'healthcheck-exec', trap: 'exec form', dockerfile: 'FROM busybox:1.36\nHEALTHCHECK CMD ["true", "x"]\n' },
  { name: 'healthcheck-none', trap: 'NONE', dockerfile: 'FROM busybox:1.36\nHEALTHCHECK CMD true\nHEALTHCHECK NONE\n' },
  { name: 'healthcheck-wrong', trap: 'an unknown form', dockerfile: 'FROM busybox:1.36\nHEALTHCHECK true\n' },
  {
    name: 'stopsignal-forms',
    trap: 'name, number, variable',
    dockerfile: 'FROM busybox:1.36\nARG S=9\nSTOPSIGNAL $S\n',
  },
  { name: 'stopsignal-wrong', trap: 'no signal', dockerfile: 'FROM busybox:1.36\nSTOPSIGNAL NEVER\n' },
  {
    name: 'label-quoting',
    trap: 'quotes, spaces, several, continuation',
    dockerfile: 'FROM busybox:1.36\nLABEL a=1 "b c"="d e" f=\'g $a\' \\\n  h="two\\\nlines"\nLABEL i the rest\n',
  },
  {
    name: 'label-variable',
    trap: 'variables in names and values',
    dockerfile: 'FROM busybox:1.36\nARG N=name\nLABEL $N=x y=${N}\n',
  },
  { name: 'maintainer', trap: 'the author', dockerfile: 'FROM busybox:1.36\nMAINTAINER Ana <ana@example.org>\n' },
  {
    name: 'onbuild-kept',
    trap: 'triggers are recorded, not run',
    dockerfile: 'FROM busybox:1.36\nONBUILD RUN echo x > /x\nONBUILD COPY . /app\n',
  },
  {
    name: 'onbuild-stage',
    trap: 'triggers of a stage run right after FROM',
    dockerfile: 'FROM busybox:1.36 AS one\nONBUILD RUN echo $0 > /x\nONBUILD ENV T=1\nFROM one\nRUN echo $T > /y\n',
  },
  {
    name: 'onbuild-onbuild',
    trap: 'no trigger of a trigger',
    dockerfile: 'FROM busybox:1.36\nONBUILD ONBUILD RUN true\n',
  },
  { name: 'onbuild-from', trap: 'no FROM in a trigger', dockerfile: 'FROM busybox:1.36\nONBUILD FROM busybox:1.36\n' },
  {
    name: 'directive-escape',
    trap: 'another escape character',
    dockerfile: '# escape=`\nFROM busybox:1.36\nENV A=a`\n  B=b C=c\\d\nRUN echo x > /x && `\n  echo y > /y\n',
  },
  { name: 'directive-check', trap: 'the check directive', dockerfile: '# check=skip=all\nFROM busybox:1.36\nCMD x\n' },
  {
    name: 'directive-late',
    trap: 'a directive after an instruction is a comment',
    dockerfile: 'FROM busybox:1.36\n# escape=`\nENV A=a \\\n  B=b\n',
  },
  {
    name: 'comment-in-continuation',
    trap: 'comments and empty lines in a continuation',
    dockerfile: 'FROM busybox:1.36\nRUN echo a \\\n# no\n   # nor this\n\n  b > /x\n',
  },
  {
    name: 'comment-hash-inside',
    trap: 'a hash in a line is no comment',
    dockerfile: 'FROM busybox:1.36\nENV A=b#c\nRUN echo x # y > /z\n',
  },
  { name: 'lower-case', trap: 'instructions in any case', dockerfile: 'from busybox:1.36\nenv A=1\nCmd ["x"]\n' },
  {
    name: 'carriage-returns',
    trap: 'line ends of another system',
    dockerfile: 'FROM busybox:1.36\r\nENV A=1 \\\r\n  B=2\r\nRUN echo x > /x\r\n',
  },
  { name: 'byte-order-mark', trap: 'a byte order mark', dockerfile: '\uFEFFFROM busybox:1.36\nENV A=1\n' },
  { name: 'leading-blanks', trap: 'blanks before instructions', dockerfile: '\n\n  FROM busybox:1.36\n\t ENV A=1\n' },
  { name: 'unknown-instruction', trap: 'a word that is no instruction', dockerfile: 'FROM busybox:1.36\nRUNS true\n' },
  {
    name: 'unknown-flag',
    trap: 'a flag that is none',
    dockerfile: 'FROM busybox:1.36\nCOPY --sideways a /a\n',
    files: { a: 'a' },
  },
  { name: 'no-from', trap: 'an instruction before FROM', dockerfile: 'ENV A=1\nFROM busybox:1.36\n' },
  { name: 'empty-dockerfile', trap: 'nothing but a comment', dockerfile: '# nothing\n' },
]

# Sourced by the scripts beside it: where their state lives, and how a server is started, awaited and stopped.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ME=${0##*/}
D=${KIWI_TESTBED_DIR:-/var/tmp/kiwi-testbed}
mkdir -p "$D"/{pids,logs,bin}
exec 9>"$D/$ME.lock"; flock 9 # two callers at once: the second waits, then finds the work done

die() { echo "$ME: $*" >&2; exit 1; }
need() { # COMMAND...
  local tool missing=
  for tool; do command -v "$tool" >/dev/null || missing+=" $tool"; done
  [ -z "$missing" ] || die "missing:$missing (run $HERE/apt-install)"
}
birth() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" {print $20}'; } # PID: when it started; nothing if it is gone
running() { # NAME: is the process that spawn recorded still that process?
  local pid since
  read -r pid since 2>/dev/null <"$D/pids/$1" && [ -n "$since" ] && [ "$(birth "$pid")" = "$since" ]
}
pid_of() { cut -d' ' -f1 "$D/pids/$1"; }
spawn() { # NAME COMMAND...
  local name=$1; shift
  running "$name" && return
  setsid nohup "$@" >"$D/logs/$name.log" 2>&1 </dev/null 9>&- &
  echo "$! $(birth $!)" >"$D/pids/$name"
}
await() { # SECONDS NAME COMMAND...: until the command succeeds; fails at once if the process NAME is gone
  local deadline=$((SECONDS + $1)) name=$2; shift 2
  until "$@" >/dev/null 2>&1; do
    running "$name" || die "$name has exited; read $D/logs/$name.log"
    [ $SECONDS -lt $deadline ] || die "$name is not ready; read $D/logs/$name.log"
    sleep 0.2
  done
}
end() { # NAME [SECONDS]: TERM, and KILL when it is still there after SECONDS
  local deadline=$((SECONDS + ${2:-10}))
  if running "$1"; then
    kill -TERM "$(pid_of "$1")" 2>/dev/null || true
    while running "$1" && [ $SECONDS -lt $deadline ]; do sleep 0.1; done
    if running "$1"; then kill -KILL "$(pid_of "$1")" 2>/dev/null || true; fi
  fi
  rm -f "$D/pids/$1"
}
prebuilt() { # NAME: the folder with NAME.xz: $KIWI_TESTBED_BIN, bin/ here, or the testbed of a folder beside this checkout
  local folder
  for folder in ${KIWI_TESTBED_BIN:+"$KIWI_TESTBED_BIN"} "$HERE/bin" "$HERE"/../../*/testbed/bin; do
    if [ -f "$folder/$1.xz" ]; then echo "$folder"; return; fi
  done
  return 1
}
binary() { # NAME...: unpacked into the state folder; built from go/ when nobody has built it yet
  local name folder
  for name; do
    [ ! -x "$D/bin/$name" ] || continue
    if ! folder=$(prebuilt "$name"); then
      [ "${KIWI_TESTBED_BUILD:-1}" = 1 ] || die "no $name.xz in \$KIWI_TESTBED_BIN or $HERE/bin (build it once with $HERE/build-bins $name)"
      command -v go >/dev/null || die "no $name.xz in \$KIWI_TESTBED_BIN or $HERE/bin, and no Go to build it with ($HERE/build-bins $name)"
      echo "$ME: building $name from $HERE/go; minutes" >&2
      "$HERE/build-bins" "$name" >"$D/logs/build-$name.log" 2>&1 9>&- || die "$name cannot be built; read $D/logs/build-$name.log"
      folder=$HERE/bin
    fi
    xz -dc "$folder/$name.xz" >"$D/bin/$name.$$" && chmod +x "$D/bin/$name.$$" && mv "$D/bin/$name.$$" "$D/bin/$name"
  done
}
unmount() { # PATTERN: every mount point that matches the extended regular expression, innermost first
  { grep -oE " $1[^ ]*" /proc/mounts || true; } | tac | while read -r m; do umount -l "$m" 2>/dev/null || true; done
}
kill_owned() { # PATTERN: processes whose command line matches, for what a server leaves behind; PATTERN names a path in $D
  local c p
  for c in /proc/[0-9]*/cmdline; do
    if { tr '\0' ' ' <"$c"; } 2>/dev/null | grep -qE "^$1"; then p=${c#/proc/}; kill -KILL "${p%/cmdline}" 2>/dev/null || true; fi
  done
}
